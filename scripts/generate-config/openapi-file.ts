import { createApi } from '../../src/api/app.ts';
import type { ApiDeps } from '../../src/api/context.ts';
import { describeApi } from '../../src/api/openapi.ts';
import type { GatewayViews } from '../../src/core/views.ts';

/** What a gateway serves at /openapi.json. Routes say what they are before anything is asked of the gateway. */
export function openApiFile(): string {
  const app = createApi({} as GatewayViews, {} as ApiDeps);
  return `${JSON.stringify(describeApi(app), null, 2)}\n`;
}
