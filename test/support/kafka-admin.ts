import { type Admin, Kafka as KafkaJs, logLevel } from 'kafkajs';

/** Uses an admin client of its own. `retries`: how often kafkajs tries again what failed, with longer and longer pauses. */
export async function withAdmin<T>(
  brokers: readonly string[],
  use: (admin: Admin) => Promise<T>,
  { retries = 6 } = {},
): Promise<T> {
  const client = new KafkaJs({ brokers: [...brokers], logLevel: logLevel.NOTHING, retry: { retries } });
  const admin = client.admin();
  try {
    await admin.connect();
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
