// Headless Chromium, driven through the DevTools protocol over two pipes: no port, no WebSocket, no package.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** How long anything may take; what is waited for is an event, so this is only met by what never comes. */
const PATIENCE = 60_000;

// Quiet on the network, and without the sandbox, which root cannot have.
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update', '--disable-dev-shm-usage',
  '--remote-debugging-pipe',
];

/** Fails with `what` if the promise does not settle in time. */
export function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE} ms for ${what}`)), PATIENCE);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Chromium {
  #process;
  #profile = mkdtempSync(join(tmpdir(), 'loco-edge-browser-'));
  #answers = new Map();
  #tabs = new Map();
  #next = 1;
  #said = '';

  /** `more` are further words of its command line. */
  constructor(program, more = []) {
    const args = [...FLAGS, ...more, `--user-data-dir=${this.#profile}`];
    this.#process = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    this.#process.stderr.on('data', (data) => { this.#said += data; });
    this.#process.on('exit', (code) => this.#fail(new Error(`Chromium ended (${code}):\n${this.#said}`)));
    this.#process.stdio[3].on('error', () => {}); // A closed pipe: `exit` says more.
    let rest = '';
    this.#process.stdio[4].setEncoding('utf8').on('data', (data) => {
      const messages = (rest + data).split('\0');
      rest = messages.pop();
      messages.forEach((text) => this.#hear(JSON.parse(text)));
    });
  }

  /** Sends a command of the protocol, to a tab or to the browser itself. */
  send(method, params = {}, sessionId = undefined) {
    const id = this.#next++;
    const answer = new Promise((resolve, reject) => this.#answers.set(id, { resolve, reject }));
    this.#process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    return within(answer, method);
  }

  /** A tab in a context of its own, with nothing in cache. */
  async tab(options) {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new Tab(this, sessionId);
    this.#tabs.set(sessionId, tab);
    await tab.prepare(options);
    return tab;
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    await this.send('Browser.close').catch(() => this.#process.kill());
    await within(ended, 'the end of Chromium');
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }

  #hear({ id, sessionId, method, params, result, error }) {
    if (id === undefined) {
      this.#tabs.get(sessionId)?.hear(method, params);
      return;
    }
    const { resolve, reject } = this.#answers.get(id);
    this.#answers.delete(id);
    if (error) reject(new Error(error.message)); else resolve(result);
  }

  #fail(error) {
    this.#answers.forEach(({ reject }) => reject(error));
    this.#answers.clear();
  }
}

/** One tab, and what it has loaded. */
class Tab {
  /** Every URL it asked for. */
  requests = [];
  /** What it complained of: errors, and breaches of the page's security policy. */
  complaints = [];
  #chromium;
  #session;
  #response;
  #loaded = [];
  #waiting = [];

  constructor(chromium, session) {
    this.#chromium = chromium;
    this.#session = session;
  }

  async prepare({ width, height, dark = false, scripts = true }) {
    for (const domain of ['Page', 'Network', 'Log', 'DOM']) await this.#send(`${domain}.enable`);
    await this.#send('Emulation.setDeviceMetricsOverride', {
      width, height, deviceScaleFactor: 1, mobile: width < 600,
    });
    const scheme = { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' };
    await this.#send('Emulation.setEmulatedMedia', { features: [scheme] });
    await this.#send('Emulation.setScriptExecutionDisabled', { value: !scripts });
  }

  hear(method, params) {
    if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
    if (method === 'Log.entryAdded' && params.entry.source !== 'network') this.complaints.push(params.entry.text);
    if (method === 'Network.responseReceived' && params.type === 'Document') this.#response = params.response;
    if (method === 'Page.loadEventFired' && this.#response) {
      this.#loaded.push({ status: this.#response.status, url: this.#response.url });
      this.#waiting.shift()?.();
    }
  }

  /** Goes there; does not wait. */
  open(url) {
    this.#response = undefined;
    this.#loaded = [];
    // It is answered when the first document comes; `document` waits for that.
    this.#send('Page.navigate', { url }).catch((error) => this.complaints.push(error.message));
  }

  /** The next document that has loaded, be it by a click, a redirect or a reload: `{ status, url, html }`. */
  async document() {
    if (this.#loaded.length === 0) {
      await within(new Promise((resolve) => this.#waiting.push(resolve)), 'a document');
    }
    const document = this.#loaded.shift();
    return { ...document, html: await this.html() };
  }

  /** How many documents have loaded that nobody has looked at. */
  get unseen() {
    return this.#loaded.length;
  }

  /** What an expression is in the page; for looking, not for acting. */
  async value(expression) {
    const { result } = await this.#send('Runtime.evaluate', { expression, returnByValue: true });
    return result.value;
  }

  /** Waits until an expression is true in the page. */
  async until(expression) {
    const look = async () => {
      while (!await this.value(expression)) await new Promise((again) => setTimeout(again, 50));
    };
    await within(look(), expression);
  }

  /** The addresses that one can go back to, and the one that is shown, last. */
  async past() {
    const { currentIndex, entries } = await this.#send('Page.getNavigationHistory');
    return entries.slice(0, currentIndex + 1).map(({ url }) => url);
  }

  /** Presses the back button; does not wait. */
  async back() {
    const { currentIndex, entries } = await this.#send('Page.getNavigationHistory');
    this.#loaded = [];
    await this.#send('Page.navigateToHistoryEntry', { entryId: entries[currentIndex - 1].id });
  }

  /** As a proxy would that lets nothing through to these addresses. */
  async block(...urls) {
    await this.#send('Network.setBlockedURLs', { urls });
  }

  async html() {
    const { root } = await this.#send('DOM.getDocument');
    const { outerHTML } = await this.#send('DOM.getOuterHTML', { nodeId: root.nodeId });
    return outerHTML;
  }

  /** How wide the page is: wider than the screen means that one has to scroll sideways. */
  async contentWidth() {
    const { cssContentSize } = await this.#send('Page.getLayoutMetrics');
    return cssContentSize.width;
  }

  async screenshot() {
    const { data } = await this.#send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(data, 'base64');
  }

  #send(method, params) {
    return this.#chromium.send(method, params, this.#session);
  }
}
