import { editorSchema } from './editor-schema.ts';
import { exampleFile } from './example-file.ts';
import { openApiFile } from './openapi-file.ts';
import { withOptions } from './options-page.ts';

export interface GeneratedFile {
  /** Path below the project's directory. */
  readonly file: string;
  readonly text: string;
}

/** Everything that is made from the schema of the configuration and from the routes of the API. `read` gives the present text of a file of the project. */
export function generatedFiles(read: (file: string) => string): readonly GeneratedFile[] {
  const page = 'docs/configuration.md';
  return [
    { file: 'config/sluice.example.yaml', text: exampleFile() },
    { file: 'config/sluice.schema.json', text: editorSchema() },
    { file: 'docs/openapi.json', text: openApiFile() },
    { file: page, text: withOptions(read(page)) },
  ];
}
