import { z } from 'zod';
import { path, section, size } from './options.ts';
import { commonOptions } from './uplink.ts';

const { name, ...common } = commonOptions('file');

/** Newline-delimited CloudEvents JSON in rotated files. */
export const fileUplink = section({
  name,
  type: z.literal('file').meta({ description: 'The kind of uplink.', 'x-type': '`file`' }),
  directory: path().optional().meta({
    description:
      'Where the files are written. When left out: `uplink-{name}` in `gateway.dataDir`. It is made when the directory above it is there. As a systemd service the gateway may write elsewhere only where `ReadWritePaths` in its unit says so.',
    'x-type': 'path',
    'x-sample': '/media/usb',
  }),
  rotateBytes: size('64MiB', 'Size at which the next file is begun.', { min: '1KiB', max: '1TiB' }),
  ...common,
}).meta({ title: 'file', description: 'An uplink that writes newline-delimited CloudEvents JSON into files.' });
