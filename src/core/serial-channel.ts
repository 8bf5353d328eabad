/** Channels of serial ports: what stands in their records, and what routes of theirs match. */

const PREFIX = 'serial/';

/** `port`: what the `*` of a pattern stands for, of which there is none in a plain path. */
export function serialChannel(name: string, port?: string): string {
  return port === undefined ? `${PREFIX}${name}` : `${PREFIX}${name}/${port}`;
}

/** Of one device among several on the line of a port: records that are polled from it. */
export function unitChannel(channel: string, unitId: number): string {
  return `${channel}/${unitId}`;
}

/** What people call the port: `name`, or `name/port`. */
export function portOfChannel(channel: string): string {
  return channel.slice(PREFIX.length);
}
