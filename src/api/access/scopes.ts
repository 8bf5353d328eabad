import type { Scope } from '../../core/api-tokens.ts';

/** `open`: no token is needed, because it says nothing about the gateway that its documentation does not. */
export type RouteScope = Scope | 'open';

/** Which scope a token needs for each route, on listeners where one is needed. Every route stands here. */
export const ROUTE_SCOPES: Readonly<Record<string, RouteScope>> = {
  'GET /docs': 'open',
  'GET /docs/start.js': 'open',
  'GET /docs/swagger-ui-bundle.js': 'open',
  'GET /docs/swagger-ui.css': 'open',
  'GET /health/live': 'open',
  'GET /health/ready': 'open',
  'GET /metrics': 'read',
  'GET /openapi.json': 'open',
  'GET /problems/{code}': 'open',
  'GET /v1/gateway': 'read',
  'GET /v1/devices': 'read',
  'GET /v1/devices/{id}': 'read',
  'GET /v1/devices/{id}/telemetry/latest': 'read',
  'POST /v1/devices/{id}/telemetry': 'write',
  'POST /v1/devices/{id}/events/{type}': 'write',
  'GET /v1/devices/{id}/commands': 'command',
  'POST /v1/devices/{id}/commands/{name}': 'command',
  'GET /v1/commands/{request_id}': 'command',
  'DELETE /v1/commands/{request_id}': 'command',
  'GET /v1/buffer': 'read',
  'GET /v1/records': 'read',
  'GET /v1/records/{seq}': 'read',
  'GET /v1/refused': 'read',
  'DELETE /v1/refused/{id}': 'write',
  'GET /v1/rejects': 'read',
  'POST /v1/rejects/{id}/retry': 'write',
  'DELETE /v1/rejects/{id}': 'write',
  'GET /v1/replays': 'read',
  'POST /v1/replays': 'write',
  'GET /v1/replays/{id}': 'read',
  'DELETE /v1/replays/{id}': 'write',
  'GET /v1/serial/ports': 'read',
  'GET /v1/uplinks': 'read',
  'GET /v1/uplinks/{name}': 'read',
  'POST /v1/uplinks/{name}/pause': 'write',
  'POST /v1/uplinks/{name}/resume': 'write',
};
