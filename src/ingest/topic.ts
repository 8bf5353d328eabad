import { isDeviceId } from '../core/device-id.ts';
import { isDeviceTopic } from '../core/device-topic.ts';
import { isName } from './name.ts';

/** What a topic of the contract asks for. */
export type Route =
  | { readonly kind: 'telemetry'; readonly device: string }
  | { readonly kind: 'metric'; readonly device: string; readonly metric: string }
  | { readonly kind: 'event'; readonly device: string; readonly eventType: string }
  | { readonly kind: 'state'; readonly device: string }
  | { readonly kind: 'response'; readonly device: string };

/** `refused`: the topic means a device's data, but cannot be that. `local`: no route knows it. */
export type Routed =
  | { readonly route: Route }
  | { readonly refused: 'bad_device_id' | 'bad_metric_name' | 'bad_event_type' }
  | { readonly local: true };

const LOCAL: Routed = { local: true };

/** Judges a topic of the default namespace. */
export function routeTopic(topic: string): Routed {
  if (!isDeviceTopic(topic)) return LOCAL;
  const [, device = '', kind, name] = topic.split('/');
  if (!isDeviceId(device)) return { refused: 'bad_device_id' };
  const route = routeOf(device, kind, name);
  if (route.kind === 'metric' && !isName(route.metric)) return { refused: 'bad_metric_name' };
  if (route.kind === 'event' && !isName(route.eventType)) return { refused: 'bad_event_type' };
  return { route };
}

function routeOf(device: string, kind: string | undefined, name: string | undefined): Route {
  switch (kind) {
    case 'telemetry':
      return name === undefined ? { kind: 'telemetry', device } : { kind: 'metric', device, metric: name };
    case 'events':
      return { kind: 'event', device, eventType: name ?? '' };
    case 'state':
      return { kind: 'state', device };
    default:
      return { kind: 'response', device };
  }
}
