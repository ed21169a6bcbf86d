// The built edge, with the test app, in a directory of its own.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { within } from './chromium.mjs';

export class Edge {
  #process;
  #directory = mkdtempSync(join(tmpdir(), 'loco-edge-'));
  #said = '';

  /** `programs` is the directory of the built `loco-edge` and `test-app`; in `file`, `{app}` stands for the latter. */
  constructor(programs, file) {
    writeFileSync(join(this.#directory, 'apps.toml'), file.replaceAll('{app}', join(programs, 'test-app')));
    const args = ['dev', 'apps.toml', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--state', 'state'];
    const options = { cwd: this.#directory, stdio: ['ignore', 'pipe', 'pipe'] };
    this.#process = spawn(join(programs, 'loco-edge'), args, options);
  }

  /** Resolves to the port when it serves. */
  async ready() {
    const ready = new Promise((resolve, reject) => {
      this.#process.on('error', reject);
      this.#process.on('exit', (code) => reject(new Error(`the edge ended (${code}):\n${this.#said}`)));
      // Printed once everything is up.
      const look = () => { if (this.#said.includes('admin API on ')) resolve(); };
      for (const stream of [this.#process.stdout, this.#process.stderr]) {
        stream.on('data', (data) => { this.#said += data; look(); });
      }
    });
    await within(ready, 'the edge');
    const { listen } = JSON.parse(readFileSync(join(this.#directory, 'state', 'edge.json'), 'utf8'));
    return Number(listen.split(':').pop());
  }

  /** What it has said, for whoever wants to know why a test failed. */
  get log() {
    return this.#said;
  }

  async close() {
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGTERM');
    await within(ended, 'the end of the edge');
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
