import { readFile, stat } from 'node:fs/promises';
import { codeOf } from '../../core/errors.ts';

/** Of serial ports, on Debian and most others. */
const USUAL_GROUP = 'dialout';
/** The group may read and write. */
const GROUP_MODE = 0o060;
const ROOT_GID = 0;
const USUAL_OVERFLOW_GID = 65534;

/** Of a device node. */
export interface NodeAccess {
  readonly mode: number;
  readonly gid: number;
}

/** What lets a user open the port that the path leads to. Never rejects. */
export async function accessHint(path: string): Promise<string> {
  try {
    return await nodeHint(path, await stat(path));
  } catch (error) {
    if (codeOf(error) !== 'EACCES') return joinHint(USUAL_GROUP);
    return `let the user into each directory that leads to it (sudo chmod o+x DIRECTORY): sudo namei -l ${path} lists them`;
  }
}

/** The same of a node that is known. */
export async function nodeHint(path: string, { mode, gid }: NodeAccess): Promise<string> {
  const isOpenToGroup = (mode & GROUP_MODE) === GROUP_MODE && gid !== ROOT_GID && gid !== (await overflowGid());
  if (isOpenToGroup) return joinHint(await groupName(gid));
  return `${joinHint(USUAL_GROUP)}; no group may open it yet: sudo chgrp ${USUAL_GROUP} ${path} && sudo chmod g+rw ${path}, or a udev rule with GROUP="${USUAL_GROUP}", MODE="0660"`;
}

function joinHint(group: string): string {
  return `add the user to group ${group}: sudo usermod -aG ${group} USER, then log in again; for a systemd service: SupplementaryGroups=${group}`;
}

/** What stands for every group that does not exist in this user namespace (user_namespaces(7)). */
async function overflowGid(): Promise<number> {
  const text = await readFile('/proc/sys/kernel/overflowgid', 'utf8').catch(() => USUAL_OVERFLOW_GID);
  return Number(text);
}

/** Its number when it has no name on this machine. */
async function groupName(gid: number): Promise<string> {
  const groups = await readFile('/etc/group', 'utf8').catch(() => '');
  const found = groups.split('\n').find((line) => line.split(':')[2] === String(gid));
  return found?.split(':')[0] ?? String(gid);
}
