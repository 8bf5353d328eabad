import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { normaliseDeviceId } from '../core/device-id.ts';

const MACHINE_ID = /^[0-9a-f]{32}$/;
const GATEWAY_ID_DIGITS = 6;
const MAX_NAME_LENGTH = 100;

/** 32 hexadecimal digits that stand for this installation (machine-id(5)); undefined where there are none (containers). */
export function readMachineId(path = '/etc/machine-id'): string | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return MACHINE_ID.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** A stand-in of the same form, for the caller to keep. */
export function randomMachineId(): string {
  return randomBytes(16).toString('hex');
}

/** Sixteen hexadecimal digits, for the caller to keep. */
export function randomInstanceId(): string {
  return randomBytes(8).toString('hex');
}

/** `greenhouse-pi` and `4f9c1a…` become `greenhouse-pi-4f9c1a`. */
export function defaultGatewayId(hostName: string, machineId: string): string {
  const name = (normaliseDeviceId(hostName) ?? 'sluice').slice(0, MAX_NAME_LENGTH);
  return `${name}-${machineId.slice(0, GATEWAY_ID_DIGITS)}`;
}
