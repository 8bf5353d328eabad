import { randomBytes } from 'node:crypto';
import { normaliseDeviceId } from '../core/device-id.ts';
import { readDigits } from './digits-file.ts';

const GATEWAY_ID_DIGITS = 6;
const MAX_NAME_LENGTH = 100;

/** 32 hexadecimal digits that stand for this installation (machine-id(5)); undefined where there are none (containers). */
export function readMachineId(path = '/etc/machine-id'): string | undefined {
  return readDigits(path);
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
