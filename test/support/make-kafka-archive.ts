/** `node make-kafka-archive.ts`: makes the archive of Kafka's classes, of a broker's short life, unless it is there. */

import { existsSync, renameSync, rmSync } from 'node:fs';
import process from 'node:process';
import { startKafka } from './kafka.ts';
import { kafkaArchive, kafkaJars } from './kafka-install.ts';

const archive = kafkaArchive(kafkaJars());
if (!existsSync(archive)) {
  const fresh = `${archive}.${process.pid}`;
  const kafka = await startKafka({ javaOptions: [`-XX:ArchiveClassesAtExit=${fresh}`] });
  try {
    await kafka.createTopic('any');
    // Java writes it when it ends in order.
    await kafka.shutDown();
    // Two runs at once do not disturb each other. A Java that makes none starts as it always did.
    if (existsSync(fresh)) renameSync(fresh, archive);
  } finally {
    rmSync(fresh, { force: true });
    await kafka.stop();
  }
}
process.stdout.write(`${archive}\n`);
