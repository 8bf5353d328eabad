import { z } from 'zod';
import { isLoopback } from '../loopback.ts';
import { checkDistinct, host, port } from './listener.ts';
import { ANY_LIST, section } from './options.ts';

const loopbackHost = host()
  .refine(isLoopback, 'must be a loopback address such as 127.0.0.1: the API asks for no password in this version')
  .meta({ description: 'Address to listen on. Loopback only: the API asks for no password in this version.' });

export const api = section({
  listeners: z
    .array(section({ host: loopbackHost, port: port(8080) }))
    .max(16)
    .superRefine(checkDistinct, ANY_LIST)
    .prefault([{}])
    .meta({
      description:
        'Addresses where the REST API answers. An empty list switches it off; the command line works without it.',
    }),
});
