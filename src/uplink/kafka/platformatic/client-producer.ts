import { kListApis, Producer } from '@platformatic/kafka';

type ListApis = Parameters<Producer[typeof kListApis]>[0];

const NAME = 'AddPartitionsToTxn';
/** Above it the request is one between brokers, and asks for ClusterAction (KIP-890). */
const LAST_FOR_CLIENTS = 3;

/** A producer that begins transactions as a client does; the library takes the newest version of each request. */
export class ClientProducer extends Producer {
  override [kListApis](callback: ListApis): void {
    super[kListApis]((error, apis) => {
      const known = apis?.map((api) => {
        return api.name === NAME ? { ...api, maxVersion: Math.min(api.maxVersion, LAST_FOR_CLIENTS) } : api;
      });
      callback(error, known);
    });
  }
}
