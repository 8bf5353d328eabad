import { readFileSync } from 'node:fs';

const BOOT_ID = /^[0-9a-f]{32}$/;

/** 32 hexadecimal digits, new with each boot (random(4)); undefined where there are none. */
export function readBootId(path = '/proc/sys/kernel/random/boot_id'): string | undefined {
  try {
    const digits = readFileSync(path, 'utf8').trim().replaceAll('-', '');
    return BOOT_ID.test(digits) ? digits : undefined;
  } catch {
    return undefined;
  }
}
