import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getuid } from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OpenerMessage, Opening } from '../support/port-opener.ts';
import { PtyPair } from '../support/pty-pair.ts';

const OPENER = join(import.meta.dirname, '../support/port-opener.ts');
const NOBODY = '65534';
const isRoot = getuid?.() === 0;

let pair: PtyPair;

beforeEach(async () => {
  pair = new PtyPair();
  await pair.plug();
  chmodSync(dirname(pair.path), 0o755);
});

afterEach(async () => {
  chmodSync(dirname(pair.path), 0o755);
  await pair.dispose();
});

const gidOf = (group: string): number =>
  Number(execFileSync('getent', ['group', group], { encoding: 'utf8' }).split(':')[2]);

/** What a user is told whom nothing but its group would let in: `nobody`, or this one where that is not root. */
async function opening(message: OpenerMessage = { openAt: 0 }): Promise<Opening> {
  const opener = fork(OPENER, [pair.path, '1', ...(isRoot ? [NOBODY] : [])]);
  try {
    await once(opener, 'message');
    const answer = once(opener, 'message');
    opener.send(message);
    return (await answer)[0] as Opening;
  } finally {
    opener.disconnect();
  }
}

const ofGroup = (group: string): string =>
  `add the user to group ${group}: sudo usermod -aG ${group} USER, then log in again; for a systemd service: SupplementaryGroups=${group}`;

describe('a serial port that this user may not open', () => {
  it('says what would let it in where no group may', async () => {
    chmodSync(pair.path, isRoot ? 0o600 : 0);
    expect(await opening()).toEqual({
      code: 'serial_not_allowed',
      hint: `${ofGroup('dialout')}; no group may open it yet: sudo chgrp dialout ${pair.path} && sudo chmod g+rw ${pair.path}, or a udev rule with GROUP="dialout", MODE="0660"`,
    });
  });

  // Only root can give it to a group that it is not in itself.
  it.each(isRoot ? ['dialout', 'plugdev'] : [])('names the group %s that may', async (group) => {
    chownSync(realpathSync(pair.path), 0, gidOf(group));
    chmodSync(pair.path, 0o660);
    expect(await opening()).toEqual({ code: 'serial_not_allowed', hint: ofGroup(group) });
  });

  it.each([
    ['the device node', (): void => chmodSync(pair.path, isRoot ? 0o600 : 0), /^add the user to group dialout/],
    [
      'its directory',
      (): void => chmodSync(dirname(pair.path), isRoot ? 0o700 : 0),
      /^let the user into each directory/,
    ],
  ])('says what would let it in at each look, where %s keeps it out', async (_, shut, hint) => {
    shut();
    const refused = { code: 'serial_not_allowed', hint: expect.stringMatching(hint) };
    expect(await opening()).toEqual(refused);
    expect(await opening('live')).toEqual(refused);
  });
});
