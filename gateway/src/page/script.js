(() => {
'use strict';
const main = document.querySelector('main'), heard = document.getElementById('heard');
const SILENCE = 25e3;
let at = Date.now(), watch;
const count = (n, unit) => n + ' ' + unit + (n === 1 ? '' : 's');
const spoken = (s) => s < 1 ? 'less than a second'
  : [s > 59 && count(Math.floor(s / 60), 'minute'), s % 60 && count(s % 60, 'second')].filter(Boolean).join(' ');
const each = (name, seconds) => main.querySelectorAll('[data-' + name + ']')
  .forEach((place) => { place.textContent = spoken(seconds(Number(place.dataset[name]))); });
const tick = () => {
  const passed = Date.now() - at;
  each('since', (ms) => Math.floor((ms + passed) / 1e3));
  each('until', (ms) => Math.max(1, Math.ceil((ms - passed) / 1e3)));
};
const open = (url) => {
  if (!url || url === location.pathname + location.search) location.reload();
  else location.replace(url + location.hash);
};
const look = () => open(main.dataset.next);
const later = (ms) => setTimeout(() => {
  if (document.hidden) document.addEventListener('visibilitychange', look, { once: true });
  else look();
}, ms + Math.random() * 1e3);
const settle = () => {
  at = Date.now();
  const again = main.querySelector('[data-again]');
  if (again) later(Number(again.dataset.until));
};
const progress = (html) => {
  const fresh = document.createElement('div');
  fresh.innerHTML = html;
  [...document.getElementById('progress').children].forEach((old, i) => {
    if (old.innerHTML !== fresh.children[i].innerHTML) old.innerHTML = fresh.children[i].innerHTML;
  });
  at = Date.now();
  tick();
  const now = fresh.querySelector('.now');
  const words = now.firstChild.textContent + '. ' + now.querySelector('p').textContent;
  if (heard.textContent !== words) heard.textContent = words;
};
const failed = (html) => {
  main.innerHTML = html;
  document.title = main.querySelector('h1').textContent;
  heard.textContent = document.title + '. ' + main.querySelector('.lead').textContent;
  settle();
};
const follow = (stream) => {
  const end = (act) => (event) => { clearTimeout(watch); stream.close(); act(event.data); };
  const again = end(() => later(1e3));
  const wait = (ms) => { clearTimeout(watch); watch = setTimeout(again, ms, {}); };
  stream.addEventListener('progress', (event) => { wait(SILENCE); progress(event.data); });
  stream.addEventListener('awake', end(open));
  stream.addEventListener('failed', end(failed));
  stream.addEventListener('again', again);
  stream.onerror = again;
  wait(5e3);
};
settle();
setInterval(tick, 1e3);
addEventListener('pageshow', (event) => { if (event.persisted) look(); });
if (main.dataset.events) {
  if (window.EventSource) follow(new EventSource(main.dataset.events));
  else later(1e3);
}
})();
