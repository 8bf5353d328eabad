import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { accessHint, nodeHint } from '../../../../src/sources/serial/port-access.ts';

const PORT = '/dev/ttyUSB0';
const [, dialout = ''] = /^dialout:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8')) ?? [];
const OVERFLOW = Number(readFileSync('/proc/sys/kernel/overflowgid', 'utf8'));

const ofGroup = (group: string): string =>
  `add the user to group ${group}: sudo usermod -aG ${group} USER, then log in again; for a systemd service: SupplementaryGroups=${group}`;
const OF_NONE = `${ofGroup('dialout')}; no group may open it yet: sudo chgrp dialout ${PORT} && sudo chmod g+rw ${PORT}, or a udev rule with GROUP="dialout", MODE="0660"`;

describe('what lets a user open a port', () => {
  it.each([
    ['its group that may', { mode: 0o20660, gid: Number(dialout) }, ofGroup('dialout')],
    ['its group that has no name', { mode: 0o20660, gid: 54_321 }, ofGroup('54321')],
    ['another group where its own may not', { mode: 0o20600, gid: Number(dialout) }, OF_NONE],
    ['another group where its own may only read', { mode: 0o20640, gid: Number(dialout) }, OF_NONE],
    ['another group than that of root', { mode: 0o20660, gid: 0 }, OF_NONE],
    ['another group than one that is not of this namespace', { mode: 0o20660, gid: OVERFLOW }, OF_NONE],
  ])('is %s', async (_, node, hint) => {
    expect(await nodeHint(PORT, node)).toBe(hint);
  });

  it('is the usual group where the port has gone meanwhile', async () => {
    expect(await accessHint('/dev/nothing-is-there')).toBe(ofGroup('dialout'));
  });
});
