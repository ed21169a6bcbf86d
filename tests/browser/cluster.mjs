// A sleeping app of a cluster as two people see it, one on a phone and one without scripts: the waiting page, and what they
// asked for after it. Run by tests/cluster, which says in HOST what is asked for, and in ADDRESS where the edge is.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { Chromium } from './chromium.mjs';
import { DESKTOP, PHONE, assertWaiting } from './waiting.mjs';

const { ADDRESS, CHROMIUM, HOST, PICTURES } = process.env;
const [address, port] = ADDRESS.split(':');
const URL_OF_APP = `http://${HOST}:${port}/some/page?q=a%20b`;
/** Of the app: its namespace is a part of it. */
const NAME = `${HOST.split('.')[0]}[^<]*`;

/** Opens the app, and looks at each page until it is the app's own; how many were waiting pages. */
async function opens(chromium, options, name) {
  const tab = await chromium.tab(options);
  tab.open(URL_OF_APP);
  let document = await tab.document();
  let pages = 0;
  while (document.status === 503) {
    pages += 1;
    await assertWaiting(tab, document, NAME, options);
    writeFileSync(join(PICTURES, `${name}.png`), await tab.screenshot());
    document = await tab.document();
  }
  assert.equal(document.status, 200, document.html);
  assert.equal(document.url, URL_OF_APP);
  assert.ok(document.html.includes('/some/page?q=a%20b'), 'the app was asked for something else');
  return pages;
}

test('a sleeping app opens in a browser', async () => {
  mkdirSync(PICTURES, { recursive: true });
  const chromium = new Chromium(CHROMIUM, [`--host-resolver-rules=MAP ${HOST} ${address}`]);
  try {
    const [live, reloaded] = await Promise.all([
      opens(chromium, PHONE, 'cluster-phone'),
      opens(chromium, { ...DESKTOP, scripts: false }, 'cluster-without-scripts'),
    ]);
    assert.equal(live, 1, 'a live page follows the wake without a reload');
    assert.ok(reloaded >= 1);
  } finally {
    await chromium.close();
  }
});
