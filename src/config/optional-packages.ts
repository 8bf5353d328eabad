import type { ConfigDocument } from './document.ts';
import type { Problem } from './problem.ts';
import type { Options } from './schema.ts';

const HINT = 'run npm ci --ignore-scripts in the directory of sluice, or choose kafkajs';

/** What asks for a package that is loaded only where it is chosen, and is not there. */
export function missingPackages({ uplinks }: Options, document: ConfigDocument): readonly Problem[] {
  return uplinks.flatMap((uplink, index) => {
    if (uplink.type !== 'kafka' || uplink.client !== 'platformatic' || isInstalled('@platformatic/kafka')) return [];
    return [document.problemAt(['uplinks', index, 'client'], `@platformatic/kafka is not installed: ${HINT}`)];
  });
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}
