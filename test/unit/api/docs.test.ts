import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../support/api-server.ts';
import { fakeApi } from '../../support/fake-api.ts';

const { app } = fakeApi();

describe('/docs', () => {
  it.each([
    ['/docs', 'text/html'],
    ['/docs/start.js', 'text/javascript'],
    ['/docs/swagger-ui-bundle.js', 'text/javascript'],
    ['/docs/swagger-ui.css', 'text/css'],
  ])('serves %s, which may load nothing from elsewhere', async (path, type) => {
    const response = await app.request(path);
    expect(response.headers.get('content-type')).toBe(`${type}; charset=utf-8`);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    expect((await response.text()).length).toBeGreaterThan(50);
  });

  it.each(['/docs/', '/docs/README.md', '/docs/..%2fdocs.js', '/docs/swagger-ui%2fLICENSE'])(
    'serves no other file: %s',
    async (path) => {
      expect((await app.request(path)).status).toBe(404);
    },
  );

  it.each([
    ['swagger-ui-bundle.js', 'e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2'],
    ['swagger-ui.css', '9c690845b517b0f152bcbdf85ecbb67d399a4ce7d72b0d64828451db9976ef12'],
  ])('is made with %s as it came', (file, hash) => {
    const text = readFileSync(resolve(import.meta.dirname, '../../../src/web/swagger-ui', file), 'utf8');
    expect(sha256(text)).toBe(hash);
  });
});
