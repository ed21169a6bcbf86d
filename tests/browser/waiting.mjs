// What holds of each waiting page.

import assert from 'node:assert/strict';

export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 800 };

/** The page stands by itself: it fits the screen, breaks no rule of its own policy, and asks nobody else. */
export async function assertSound(tab, width) {
  assert.ok(await tab.contentWidth() <= width, 'wider than the screen');
  assert.deepEqual(tab.complaints, []);
  const foreign = tab.requests.filter((asked) => !/^http:\/\/[a-z-]+\.(localhost|test):\d+\//.test(asked));
  assert.deepEqual(foreign, []);
}

export async function assertWaiting(tab, document, name, options) {
  assert.equal(document.status, 503);
  assert.match(document.html, new RegExp(`<title>${name} is waking up</title>`));
  assert.equal(document.html.match(/aria-current="step"/g)?.length, 1, 'one step is the one that goes on');
  assert.match(document.html, /Waking for <b/);
  await assertSound(tab, options.width);
}
