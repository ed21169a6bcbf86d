// What a person sees in a browser: the waiting page and where it leads, live and without scripts; the page of an app that
// cannot be started; the way by the page that revives apps. Run by tests/browser/run.

import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { Chromium } from './chromium.mjs';
import { Edge } from './edge.mjs';
import { DESKTOP, PHONE, assertSound, assertWaiting } from './waiting.mjs';

// A query that a careless reload would change.
const QUERY = 'q=a%20b&lang=%C3%A4&x=1&x=2';
const PATH = `/some/page?${QUERY}`;

const STEP = 'document.querySelector(".now").firstChild.textContent';

const app = (name, env, more = '') => `
[[app]]
name = "${name}"
command = ["{app}"]
page_after = "200ms"
env = { ${env} }
${more}
`;
const slow = (name, more) => app(name, 'START_DELAY = "6s"', more);
// It listens before it is ready.
const stepping = (name) =>
  app(name, 'START_DELAY = "3s", READY_DELAY = "6s"', 'health = { http = "/readyz" }');
const redirected = 'wake = "redirect"';
const FILE = `
${stepping('desktop')} ${slow('phone')} ${stepping('dark')} ${slow('cut')}
${slow('revived', redirected)} ${slow('revived-on-a-phone', redirected)}
${app('from', '')} ${app('broken', 'FAIL = "exit"')}
${app('breaks', 'START_DELAY = "600s", FAIL = "exit-after-3s"')} ${app('breaks-in-the-dark', 'START_DELAY = "600s", FAIL = "exit-after-3s"')}
[revive]
backoff_first = "60s"
max_concurrent_wakes = 16
`;
// One at a time, and a failure that is soon tried again.
const LINE = `
${slow('first')} ${slow('second')} ${app('again', 'FAIL = "exit"')}
[revive]
backoff_first = "2s"
max_concurrent_wakes = 1
`;

const edges = {};
const ports = {};
let chromium;

before(async () => {
  mkdirSync(process.env.PICTURES, { recursive: true });
  for (const [name, file] of Object.entries({ main: FILE, line: LINE })) {
    edges[name] = new Edge(process.env.PROGRAMS, file);
    ports[name] = await edges[name].ready();
  }
  chromium = new Chromium(process.env.CHROMIUM);
});

after(async () => {
  await chromium?.close();
  for (const edge of Object.values(edges)) await edge.close();
  console.log(`screenshots: ${process.env.PICTURES}`);
});

const url = (name, edge = 'main') => `http://${name}.localhost:${ports[edge]}${PATH}`;

async function picture(tab, name) {
  writeFileSync(join(process.env.PICTURES, `${name}.png`), await tab.screenshot());
}

function assertLanded(document, address) {
  assert.equal(document.status, 200);
  assert.equal(document.url, address);
  const seen = document.html.replaceAll('&amp;', '&');
  assert.ok(seen.includes(`"target":"${PATH}"`), `the app was asked for something else: ${seen}`);
}

/** Follows a page that does not reload until the app itself is there, and goes back from it. */
async function followsAndLands(name, options) {
  const tab = await chromium.tab(options);
  tab.open(url('from'));
  assert.equal((await tab.document()).status, 200);
  tab.open(`${url(name)}#part`);
  await assertWaiting(tab, await tab.document(), name, options);
  await tab.until(`${STEP} === "Starting"`);
  // Of what is shown now, only the script can have counted it.
  await tab.until('/^[4-9] seconds/.test(document.querySelector("[data-since]").textContent)');
  await tab.until(`${STEP} === "Opening"`);
  assert.match(await tab.value('document.getElementById("heard").textContent'), /^Opening\. It is running/);
  await picture(tab, `waiting-${name}`);
  assert.equal(tab.unseen, 0, 'it has reloaded');
  assertLanded(await tab.document(), url(name));
  assert.equal(await tab.value('location.hash'), '#part');
  assert.deepEqual((await tab.past()).slice(-2), [url('from'), `${url(name)}#part`], 'the page stays in the past');
  await tab.back();
  await tab.until(`location.href === ${JSON.stringify(url('from'))}`);
}

/** Follows pages that reload until the app itself is there. */
async function reloadsAndLands(name, options, prepare = () => {}) {
  const tab = await chromium.tab(options);
  await prepare(tab);
  tab.open(url(name));
  let pages = 0;
  let document = await tab.document();
  while (document.status === 503) {
    pages += 1;
    assert.equal(document.url, url(name), 'the address is the one asked for');
    await assertWaiting(tab, document, name, options);
    if (pages === 1) await picture(tab, `waiting-${name}`);
    document = await tab.document();
  }
  assert.ok(pages >= 2, `${pages} waiting pages`);
  assertLanded(document, url(name));
  assert.equal((await tab.past()).filter((past) => past === url(name)).length, 1);
}

async function isRevivedAndLands(name, options) {
  const tab = await chromium.tab(options);
  tab.open(`${url(name)}#part`);
  let document = await tab.document();
  const revive = `http://revive.localhost:${ports.main}/revive-app?app-name=${name}&og_url=`;
  assert.ok(document.url.startsWith(revive), document.url);
  await picture(tab, `revive-${name}`);
  while (document.status === 503) {
    await assertWaiting(tab, document, name, options);
    document = await tab.document();
  }
  assertLanded(document, url(name));
  if (options.scripts !== false) assert.equal(await tab.value('location.hash'), '#part');
  const past = await tab.past();
  assert.deepEqual(past.filter((address) => address.includes('revive.')), [], 'the page stays in the past');
}

async function failsWithItsCode(name, options) {
  const tab = await chromium.tab(options);
  tab.open(url('broken'));
  let document = await tab.document();
  // Whoever is first sees it wake.
  if (document.html.includes('is waking up')) document = { ...document, html: await failedInPlace(tab) };
  assert.equal(document.status, 503);
  assertFailed(document.html, 'broken');
  await assertSound(tab, options.width);
  await picture(tab, `failed-${name}`);
}

async function failedInPlace(tab) {
  await tab.until('document.title.endsWith("could not be opened")');
  return tab.html();
}

function assertFailed(html, name) {
  assert.match(html, new RegExp(`<title>${name} could not be opened</title>`));
  assert.match(html, /stopped while it was starting/);
  assert.match(html, /exited-early/);
}

async function failsLive(name, options) {
  const tab = await chromium.tab(options);
  tab.open(url(name));
  await assertWaiting(tab, await tab.document(), name, options);
  assertFailed(await failedInPlace(tab), name);
  assert.equal(tab.unseen, 0, 'it has reloaded');
  const heard = await tab.value('document.getElementById("heard").textContent');
  assert.equal(heard, `${name} could not be opened. This app stopped while it was starting.`);
  // It counts down to the next try.
  await tab.until('/5[0-8] seconds/.test(document.querySelector("[data-again]").textContent)');
  await assertSound(tab, options.width);
  await picture(tab, `failed-live-${name}`);
}

async function standsInLine() {
  const first = await chromium.tab(DESKTOP);
  first.open(url('first', 'line'));
  await first.document();
  const tab = await chromium.tab(PHONE);
  tab.open(url('second', 'line'));
  const document = await tab.document();
  await assertWaiting(tab, document, 'second', PHONE);
  assert.match(document.html, /Waiting in line.*It is next\./);
  await picture(tab, 'waiting-in-line');
  await tab.until(`${STEP} === "Starting"`);
  assert.equal(tab.unseen, 0, 'it has reloaded');
  assertLanded(await tab.document(), url('second', 'line'));
}

async function looksAgainByItself() {
  const tab = await chromium.tab(PHONE);
  tab.open(url('again', 'line'));
  for (let tries = 0; tries < 2; tries += 1) {
    await tab.document();
    assertFailed(await failedInPlace(tab), 'again');
  }
}

async function saysThatALinkIsOld() {
  const tab = await chromium.tab(DESKTOP);
  tab.open(`http://revive.localhost:${ports.main}/revive-app?app-name=from&og_url=/&expires=1&signature=00`);
  const { status, html } = await tab.document();
  assert.equal(status, 400);
  assert.match(html, /link-forged/);
  assert.match(html, new RegExp(`<a class="button" href="//from.localhost:${ports.main}/">Open the app</a>`));
  await assertSound(tab, DESKTOP.width);
  await picture(tab, 'link-forged');
}

const testIn = (name, run) => test(name, async () => {
  try {
    await run();
  } catch (error) {
    error.message += Object.values(edges).map(({ log }) => `\n--- the edge said\n${log}`).join('');
    throw error;
  }
});

testIn('a desktop follows the waiting page to the app, and goes back to where it was', () => followsAndLands('desktop', DESKTOP));
testIn('so does a phone in the dark', () => followsAndLands('dark', { ...PHONE, dark: true }));
testIn('a phone without JavaScript reloads until it is there', () => reloadsAndLands('phone', { ...PHONE, scripts: false }));
testIn('who cannot have the events does, too', () => reloadsAndLands('cut', DESKTOP, (tab) => tab.block('*/.loco/events*')));
testIn('who stands in line sees it move', standsInLine);
testIn('a failure is shown in place', () => failsLive('breaks', DESKTOP));
testIn('also on a phone in the dark', () => failsLive('breaks-in-the-dark', { ...PHONE, dark: true }));
testIn('what has failed is tried again by itself', looksAgainByItself);
testIn('an app that cannot be started says so, with its code', () => failsWithItsCode('desktop', DESKTOP));
testIn('also on a phone without JavaScript', () => failsWithItsCode('phone', { ...PHONE, scripts: false }));
testIn('also in the dark', () => failsWithItsCode('dark', { ...DESKTOP, dark: true }));
testIn('a redirected visitor is revived and sent back', () => isRevivedAndLands('revived', DESKTOP));
testIn('also on a phone without JavaScript', () => isRevivedAndLands('revived-on-a-phone', { ...PHONE, scripts: false }));
testIn('a link that is not right says where the app is', saysThatALinkIsOld);
