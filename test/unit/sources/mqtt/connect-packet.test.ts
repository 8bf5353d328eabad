import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { connackPacket, inspectConnect, REFUSED } from '../../../../src/sources/mqtt/connect-packet.ts';
import { connectBytes, packet } from '../../../support/mqtt-raw-client.ts';

const CONNECT = connectBytes({ clientId: 'meter' });

describe('the first packet of a connection', () => {
  it('is complete exactly when its last byte is there', () => {
    for (let end = 0; end < CONNECT.length; end += 1) {
      expect(inspectConnect(CONNECT.subarray(0, end), 1_000)).toEqual({ kind: 'incomplete' });
    }
    expect(inspectConnect(CONNECT, 1_000)).toEqual({ kind: 'complete', end: CONNECT.length });
  });

  it('ends where the next one begins', () => {
    const bytes = Buffer.concat([CONNECT, packet(0xc0)]);
    expect(inspectConnect(bytes, 1_000)).toEqual({ kind: 'complete', end: CONNECT.length });
  });

  it.each([
    ['MQTT', 4],
    ['MQIsdp', 3],
    ['MQTT', 0x84],
    ['MQIsdp', 0x83],
  ])('may be %s level %i', (protocol, level) => {
    expect(inspectConnect(connectBytes({ clientId: 'a', protocol, level }), 1_000).kind).toBe('complete');
  });

  it.each([
    ['MQTT', 5, 5],
    ['MQTT', 3, 3],
    ['MQTT', 6, 6],
    ['MQIsdp', 4, 4],
  ])('is of an unsupported version with %s level %i', (protocol, level, version) => {
    const verdict = inspectConnect(connectBytes({ clientId: 'a', protocol, level }), 1_000);
    expect(verdict).toEqual({ kind: 'unsupported_version', version });
  });

  it('is judged by its version before the rest has come', () => {
    const bytes = connectBytes({ clientId: 'a', level: 5 }).subarray(0, 9);
    expect(inspectConnect(bytes, 1_000).kind).toBe('unsupported_version');
  });

  it.each([
    ['a PUBLISH', packet(0x30, Buffer.from('x'))],
    ['a request over HTTP', Buffer.from('GET / HTTP/1.1\r\n')],
    ['another protocol', connectBytes({ clientId: 'a', protocol: 'AMQP' })],
    ['reserved flags', Buffer.from([0x11])],
    ['empty', packet(0x10)],
    ['too short for a name', packet(0x10, Buffer.from([0]))],
    ['too short for its name', packet(0x10, Buffer.from([0, 4, 77, 81]))],
    ['too short for a level', packet(0x10, Buffer.from([0, 4, 77, 81, 84, 84]))],
  ])('is a fault when it is %s', (_, bytes) => {
    expect(inspectConnect(bytes, 1_000)).toEqual({ kind: 'fault', fault: 'not_connect' });
  });

  it('is a fault when it is too large or its length is malformed', () => {
    expect(inspectConnect(Buffer.from('10ffff7f', 'hex'), 1_000)).toEqual({ kind: 'fault', fault: 'packet_too_large' });
    const malformed = inspectConnect(Buffer.from('1080808080', 'hex'), 1_000);
    expect(malformed).toEqual({ kind: 'fault', fault: 'malformed_length' });
  });

  it('is answered with a refusal in the form of MQTT 3.1.1', () => {
    expect(connackPacket(REFUSED.version).toString('hex')).toBe('20020001');
  });
});
