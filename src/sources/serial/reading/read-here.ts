import { LineReader } from './line-reader.ts';
import type { OpenReading, PortReading } from './port-reading.ts';

/** On the loop of this thread: what keeps it busy for longer than the port's buffer lasts loses bytes. */
export const readHere: OpenReading = async (path): Promise<PortReading> => {
  const reader = await LineReader.open(path);
  return {
    read: (onBytes) =>
      reader.read((bytes) => {
        const taken = onBytes(bytes);
        void taken?.then(() => reader.resume());
        return taken === undefined;
      }),
    caughtUp: () => reader.caughtUp(),
    close: () => reader.close(),
  };
};
