/** Topic names and filters, as MQTT 3.1.1 §4.7 has them. */

const SLASH = 47;

export function levelCount(topic: string): number {
  let count = 1;
  for (let at = 0; at < topic.length; at += 1) if (topic.charCodeAt(at) === SLASH) count += 1;
  return count;
}

/**
 * What a PUBLISH may name [MQTT-1.5.3-1, MQTT-3.3.2-2, MQTT-4.7.3-1, MQTT-4.7.3-2]. The parser puts U+FFFD where the
 * bytes are no UTF-8, so a topic that really has this character is refused as well.
 */
export function isValidTopic(topic: string): boolean {
  return topic !== '' && !/[+#\0\ufffd]/.test(topic);
}

/** What a SUBSCRIBE may name [MQTT-4.7.1-2, MQTT-4.7.1-3, MQTT-4.7.3-1]. */
export function isValidFilter(filter: string): boolean {
  if (filter === '' || filter.includes('\0')) return false;
  const levels = filter.split('/');
  return levels.every((level, index) => {
    if (level === '#') return index === levels.length - 1;
    return level === '+' || !/[+#]/.test(level);
  });
}

/** The broker's own topics, `$SYS` and below. */
export function isSystemTopic(topic: string): boolean {
  return topic === '$SYS' || topic.startsWith('$SYS/');
}

/** Wildcards do not reach topics that begin with `$` from the first level [MQTT-4.7.2-1]. */
export function matchesFilter(filter: string, topic: string): boolean {
  if (filter === topic) return true;
  const wanted = filter.split('/');
  const levels = topic.split('/');
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false;
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}

/** Whether everything that `wanted` can match is matched by `granted`. */
export function coversFilter(granted: string, wanted: string): boolean {
  const mine = granted.split('/');
  const theirs = wanted.split('/');
  for (const [index, level] of mine.entries()) {
    const other = theirs[index];
    if (level === '#') return index > 0 || !wanted.startsWith('$');
    if (other === undefined || other === '#') return false;
    if (level !== other && (level !== '+' || (index === 0 && other.startsWith('$')))) return false;
  }
  return mine.length === theirs.length;
}
