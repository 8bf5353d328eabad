import { readDigits } from './digits-file.ts';

/** 32 hexadecimal digits, new with each boot (random(4)); undefined where there are none. */
export function readBootId(path = '/proc/sys/kernel/random/boot_id'): string | undefined {
  return readDigits(path, (text) => text.replaceAll('-', ''));
}
