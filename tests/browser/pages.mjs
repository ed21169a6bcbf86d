// What a person sees in a browser: the waiting page and where it leads, the page of an app that cannot be started.
// Run by tests/browser/run.

import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Chromium } from './chromium.mjs';
import { Edge } from './edge.mjs';

const PHONE = { width: 390, height: 844 };
const DESKTOP = { width: 1280, height: 800 };
// A query that a careless reload would change.
const QUERY = 'q=a%20b&lang=%C3%A4&x=1&x=2';

const slow = (name) => `
[[app]]
name = "${name}"
command = ["{app}"]
env = { START_DELAY = "8s" }
`;
const FILE = `
${slow('desktop')} ${slow('phone')} ${slow('dark')}
[[app]]
name = "broken"
command = ["{app}"]
env = { FAIL = "exit" }
[revive]
backoff_first = "60s"
max_concurrent_wakes = 8
`;

const pictures = mkdtempSync(join(tmpdir(), 'loco-edge-pages-'));
let edge;
let port;
let chromium;

before(async () => {
  edge = new Edge(process.env.PROGRAMS, FILE);
  port = await edge.ready();
  chromium = new Chromium(process.env.CHROMIUM);
});

after(async () => {
  await chromium?.close();
  await edge?.close();
  console.log(`screenshots: ${pictures}`);
});

const url = (app) => `http://${app}.localhost:${port}/some/page?${QUERY}`;

async function picture(tab, name) {
  writeFileSync(join(pictures, `${name}.png`), await tab.screenshot());
}

/** The page stands by itself: it fits the screen, breaks no rule of its own policy, and asks nobody else. */
async function assertSound(tab, width) {
  assert.ok(await tab.contentWidth() <= width, 'wider than the screen');
  assert.deepEqual(tab.complaints, []);
  const foreign = tab.requests.filter((asked) => !new RegExp(`^http://[a-z]+\\.localhost:${port}/`).test(asked));
  assert.deepEqual(foreign, []);
}

/** Waits on the waiting page until the app itself is there. */
async function waitsAndLands(app, options) {
  const tab = await chromium.tab(options);
  tab.open(url(app));
  let pages = 0;
  let document = await tab.document();
  while (document.status === 503) {
    pages += 1;
    assert.match(document.html, new RegExp(`<title>${app} is waking up</title>`));
    assert.equal(document.html.match(/aria-current="step"/g)?.length, 1, 'one step is the one that goes on');
    assert.match(document.html, /Waking for <b>/);
    assert.equal(document.url, url(app), 'the address is the one asked for');
    await assertSound(tab, options.width);
    if (pages === 1) await picture(tab, `waiting-${app}`);
    document = await tab.document();
  }
  // It starts for 8 s, is held for 2 s and reloads after 1 s: two pages at least, else nothing was followed.
  assert.ok(pages >= 2, `${pages} waiting pages`);
  assert.equal(document.status, 200);
  assert.equal(document.url, url(app));
  const seen = document.html.replaceAll('&amp;', '&');
  assert.ok(seen.includes(`"target":"/some/page?${QUERY}"`), `the app was asked for something else: ${seen}`);
  await picture(tab, `landed-${app}`);
}

async function failsWithItsCode(name, options) {
  const tab = await chromium.tab(options);
  tab.open(url('broken'));
  const { status, html } = await tab.document();
  assert.equal(status, 503);
  assert.match(html, /<title>broken could not be opened<\/title>/);
  assert.match(html, /stopped while it was starting/);
  assert.match(html, /exited-early/);
  await assertSound(tab, options.width);
  await picture(tab, `failed-${name}`);
}

const testIn = (name, run) => test(name, async () => {
  try {
    await run();
  } catch (error) {
    error.message += `\n--- the edge said\n${edge.log}`;
    throw error;
  }
});

testIn('a desktop follows the waiting page to the app', () => waitsAndLands('desktop', DESKTOP));
testIn('a phone without JavaScript does, too', () => waitsAndLands('phone', { ...PHONE, scripts: false }));
testIn('so does a phone in the dark', () => waitsAndLands('dark', { ...PHONE, dark: true }));
testIn('an app that cannot be started says so, with its code', () => failsWithItsCode('desktop', DESKTOP));
testIn('also on a phone without JavaScript', () => failsWithItsCode('phone', { ...PHONE, scripts: false }));
testIn('also in the dark', () => failsWithItsCode('dark', { ...DESKTOP, dark: true }));
