'use strict';
// The page of the sandbox; page_records.js has its tables and details. It polls
// `/sandbox/list/TABLE` or `/sandbox/show/TABLE` and replaces what has changed. The hash of the URL
// names the view: `#orders?state=NOTPAY`, `#orders/KEY`.

const TABLES = ['orders', 'refunds', 'transfers', 'sharings', 'notifications', 'calls'];
const VIEWS = [...TABLES, 'controls'];
const FILTERS = ['search', 'state', 'kind', 'from', 'until'];
const POLL_MILLISECONDS = 1000;

// Language.

const LANGUAGE_KEY = 'wechatpay-sandbox-language';
// The browser can deny access to the storage, and another page of this origin can have stored any
// value.
const storedLanguage = () => { try { return localStorage.getItem(LANGUAGE_KEY); } catch { return null; } };
const storeLanguage = chosen => { try { localStorage.setItem(LANGUAGE_KEY, chosen); } catch { /* it is lost when the page is closed */ } };
let language = Object.hasOwn(texts, storedLanguage() ?? '') ? storedLanguage() : navigator.language.startsWith('zh') ? 'zh' : 'en';
const t = (key, ...values) => values.reduce((text, value, index) => text.replace(`{${index + 1}}`, () => value), texts[language][key] ?? key);
// The text for this table, or the common text of all tables.
const tableText = (table, key) => texts[language][`${table}.${key}`] ?? t(key);
const stateName = state => texts[language][`state.${state}`] ?? state;

// Elements.

const byId = id => document.getElementById(id);
// Sets text, never HTML, so that data from a merchant is not executed.
const node = (tag, text, attributes = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), attributes);
  if (text !== undefined && text !== null) element.textContent = text;
  element.append(...children.flat().filter(child => child !== '' && child !== undefined && child !== null && child !== false));
  return element;
};
const div = (...children) => node('div', undefined, {}, ...children);
const muted = (...texts) => { const text = texts.filter(Boolean).join(' · '); return text && node('div', text, { className: 'muted' }); };
const details = (summary, ...children) => node('details', undefined, {}, node('summary', summary), ...children);
const panel = (heading, ...children) => node('section', undefined, { className: 'panel' }, heading && node('h2', heading), ...children);

// Values.

const encode = fields => Object.entries(fields).filter(([, value]) => value !== '' && value !== undefined && value !== null).map(pair => pair.map(encodeURIComponent).join('=')).join('&');
const withQuery = (path, fields) => [path, encode(fields)].filter(Boolean).join('?');
const yuan = fen => (fen / 100).toFixed(2);
// Local time as 2026-11-23 13:39:58, which is the Swedish format.
const time = milliseconds => new Date(milliseconds).toLocaleString('sv-SE');
const duration = milliseconds => milliseconds === null || milliseconds === undefined ? '…' : `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
// The CSS class of each state. Other states are shown as errors.
const STATE_CLASSES = {
  SUCCESS: 'good', FINISHED: 'good', delivered: 'good', valid: 'good', 'refused, as it should be': 'good',
  NOTPAY: 'busy', WAIT_USER_CONFIRM: 'busy', PROCESSING: 'busy', PENDING: 'busy', waiting: 'busy', USERPAYING: 'busy', ACCEPT: 'busy',
  REFUND: '', CLOSED: 'muted', REVOKED: 'muted', CANCELLED: 'muted',
};
const badge = (state, name = stateName(state)) => node('span', name, { className: STATE_CLASSES[state] ?? 'bad' });
const statusBadge = status => node('span', status, { className: status < 400 ? 'good' : 'bad' });
const link = (table, key, text) => node('a', text, { href: `#${table}/${encodeURIComponent(key)}` });

// Views.

const parseHash = () => {
  const [path, query = ''] = location.hash.slice(1).split('?');
  const decode = text => { try { return decodeURIComponent(text); } catch { return text; } };
  const [view, key] = path.split('/').map(decode);
  const fields = Object.fromEntries(query.split('&').filter(Boolean).map(pair => pair.split('=').map(decode)));
  return { view: VIEWS.includes(view) ? view : 'orders', key: TABLES.includes(view) ? key : undefined, fields };
};
let view = parseHash();
const listUrl = () => {
  const { from, until, ...fields } = view.fields;
  const at = text => text ? new Date(text).getTime() : '';
  return withQuery(`/sandbox/list/${view.view}`, { ...fields, from: at(from), until: at(until) });
};
const viewUrl = () => view.key === undefined ? listUrl() : withQuery(`/sandbox/show/${view.view}`, { key: view.key });

// Fills a container with elements. An entry is a name, its data, and the function that builds the
// element. Elements with unchanged data are kept, so that opened details stay open and buttons do
// not move.
const shown = new WeakMap();
const fill = (container, entries) => {
  const before = shown.get(container) ?? new Map(), after = new Map();
  for (const [name, data, build] of entries) {
    const json = JSON.stringify(data ?? null), known = before.get(name);
    if (known?.json === json) { after.set(name, known); continue; }
    const element = build(data);
    if (known) keepInputs(known.element, element);
    after.set(name, { json, element });
  }
  for (const [name, { element }] of before) if (after.get(name)?.element !== element) element.remove();
  [...after.values()].forEach(({ element }, index) => { if (container.children[index] !== element) container.insertBefore(element, container.children[index] ?? null); });
  shown.set(container, after);
};
// Keeps opened details and the user's input when an element is built again.
const keepInputs = (before, after) => {
  const pairs = selector => { const old = before.querySelectorAll(selector); return [...after.querySelectorAll(selector)].map((element, index) => [old[index], element]).filter(([known]) => known); };
  for (const [known, element] of pairs('details')) element.open = known.open;
  for (const [known, element] of pairs('input, select, textarea')) { keepValue(known, element); if (document.activeElement === known) setTimeout(() => element.focus()); }
};
// If the selected option no longer exists, the first option is selected.
const keepValue = (before, after) => {
  if (after.tagName !== 'SELECT' || [...after.options].some(option => option.value === before.value)) after.value = before.value;
};
const clearView = () => { byId('view').replaceChildren(); shown.delete(byId('view')); };

// The error of the last action, and whether the sandbox has stopped responding.
let lastError = '', gone = false;
const showError = () => {
  const text = gone ? t('gone') : lastError;
  if (byId('error').textContent !== text) byId('error').textContent = text;
};
const acceptLanguage = () => ({ 'Accept-Language': language === 'zh' ? 'zh-CN' : 'en' });
// Makes a control call. Returns its response, or undefined after an error.
const control = async (call, fields) => {
  let body;
  try {
    const response = await fetch('/sandbox/' + call, { method: 'POST', headers: { 'Content-Type': 'application/json', ...acceptLanguage() }, body: JSON.stringify(fields) });
    body = await response.json();
    lastError = body.error ?? '';
  } catch { gone = true; }
  await refresh();
  return body?.error ? undefined : body;
};
const button = (call, fields, { text = t(call), className = call === 'pay' || call === 'confirm' ? 'main' : '' } = {}) => {
  const element = node('button', text, { type: 'button', className });
  element.dataset.call = call;
  element.onclick = async () => {
    element.disabled = true;
    await control(call, fields);
    element.disabled = false;
  };
  return element;
};
// A form for a control call. `read` converts the fields of the form to the fields of the call, or
// throws an error.
const form = (call, submit, inputs, read = fields => fields) => {
  const result = node('pre', undefined, { hidden: true });
  const labels = inputs.map(({ name, wide, long, ...input }) => node('label', t(`field.${name}`), { className: wide ? 'wide' : long ? 'long' : '' }, Object.assign(inputElement(input), { name })));
  const submitter = node('button', submit, { className: 'main' });
  const element = node('form', undefined, { className: 'form' }, ...labels, submitter, result);
  element.dataset.call = call;
  element.onsubmit = async event => {
    event.preventDefault();
    let fields;
    try {
      fields = read(Object.fromEntries(new FormData(element)));
    } catch (error) {
      lastError = error.message;
      return showError();
    }
    // A second click must not repeat the call.
    submitter.disabled = true;
    const body = await control(call, fields);
    submitter.disabled = false;
    result.hidden = body === undefined;
    result.textContent = body === undefined ? '' : JSON.stringify(body, undefined, 2);
  };
  return element;
};
const inputElement = ({ options, ...attributes }) => {
  if (options) return node('select', undefined, {}, options.map(([value, text]) => node('option', text, { value })));
  const { tag = 'input', list, ...others } = attributes;
  const element = node(tag, undefined, others);
  if (list) element.setAttribute('list', list);
  return element;
};

// Controls.

const json = text => { try { return JSON.parse(text); } catch (error) { throw new Error(`${t('field.response')}: ${error.message}`); } };
const assignments = text => Object.fromEntries(text.split('\n').filter(line => line.trim()).map(line => { const [path, ...value] = line.split('='); return [path.trim(), value.join('=').trim()]; }));
const controlEntries = content => [
  ['faults', { faults: content.faults, names: content.fault_names }, ({ faults, names }) => panel(t('controls.faults'), muted(t('faults.note')),
    form('fault', t('apply'), [
      { name: 'fault', options: names.map(name => [name.split(/[:[]/)[0], name]) }, { name: 'detail', autocomplete: 'off', placeholder: '' }, { name: 'times', type: 'number', min: 1, max: 10000, value: 1 },
      { name: 'on', options: ['answer', 'notification'].map(on => [on, t(`on.${on}`)]) },
    ], ({ fault, detail, times, on }) => ({ fault: detail ? `${fault}:${detail}` : fault, times: Number(times), on })),
    ...['answer', 'notification'].filter(on => faults[on].length).map(on => div(`${t('pending')} (${t(`on.${on}`)}): `, node('code', faults[on].join(', ')))),
    faults.answer.length + faults.notification.length > 0 && button('clear-faults', {}, { text: t('remove_all') }))],
  ['states', { hold: content.hold, limit: content.limit }, ({ hold, limit }) => panel(t('controls.states'), muted(t('states.note')),
    node('div', undefined, { className: 'buttons' }, ...['payments', 'refunds', 'profit_sharings'].map(name => {
      const element = button('hold', { [name]: !hold[name] }, { text: t(`hold.${name}`) });
      element.setAttribute('aria-pressed', hold[name]);
      return element;
    })),
    node('h3', t('controls.limit')), muted(limit ? t('limit.set', limit.calls, limit.seconds) : t('limit.none')),
    form('limit', t('apply'), [{ name: 'calls', type: 'number', min: 0, max: 1000000, value: 10, required: true }, { name: 'seconds', type: 'number', min: 1, max: 86400, value: 1 }], ({ calls, seconds }) => ({ calls: Number(calls), seconds: Number(seconds) })),
    limit && button('limit', {}, { text: t('remove') }))],
  ['stubs', content.stubs, stubs => panel(t('controls.stubs'), muted(t('stubs.note')),
    form('stub', t('add'), [
      { name: 'method', options: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].map(method => [method, method]) }, { name: 'template', long: true, required: true, placeholder: 'v3/new/thing/{id}', autocomplete: 'off' },
      { name: 'status', type: 'number', min: 100, max: 599, value: 200 }, { name: 'response', wide: true, tag: 'textarea', value: '{}' },
    ], ({ method, template, status, response }) => ({ method, template, status: Number(status), response: json(response) })),
    ...stubs.map(({ method, template, status, response }) => div(node('code', `${method} ${template} → ${status} ${response.slice(0, 200)} `), button('remove-stub', { method, template }, { text: t('remove') }))))],
  ['trigger', content.events, events => panel(t('controls.trigger'), muted(t('trigger.note')), node('datalist', undefined, { id: 'events' }, ...events.map(({ event, title }) => node('option', title, { value: event }))),
    form('trigger', t('send'), [{ name: 'event', list: 'events', required: true, autocomplete: 'off' }, { name: 'notify_url', type: 'url', long: true }, { name: 'set', tag: 'textarea', wide: true }],
      ({ event, notify_url, set }) => ({ event, notify_url, set: assignments(set) })))],
  ['probe', 0, () => panel(t('controls.probe'), muted(t('probe.note')), form('probe', t('send'), [{ name: 'notify_url', type: 'url', required: true, long: true }]))],
  ['card', 0, () => panel(t('controls.card'), muted(t('card.note')), form('card', t('apply'), [{ name: 'card_id', required: true }, { name: 'event', options: ['ACCEPT_CARD', 'ACTIVATE_CARD', 'USERCARD_MANAGE'].map(event => [event, event]) }]))],
  ['bills', 0, () => panel(t('controls.bills'), muted(t('bills.note')), button('bills', {}))],
];

// The filters and the pager of a list.

const filters = byId('filters');
const setOptions = (select, all, counts, name) => {
  const options = [['', all], ...counts.map(([value, count]) => [value, `${name(value)} (${count})`])];
  // The selected value may no longer occur in any record.
  if (select.dataset.wanted && !counts.some(([value]) => value === select.dataset.wanted)) options.push([select.dataset.wanted, name(select.dataset.wanted)]);
  fill(select, options.map(([value, text]) => [value, text, () => node('option', text, { value })]));
  select.value = select.dataset.wanted ?? '';
  select.hidden = options.length === 1;
};
const showFilters = content => {
  filters.search.placeholder = filters.search.ariaLabel = t(`${view.view}.search`);
  filters.state.ariaLabel = tableText(view.view, 'any_state');
  filters.kind.ariaLabel = tableText(view.view, 'any_kind');
  setOptions(filters.state, tableText(view.view, 'any_state'), content.states, stateName);
  setOptions(filters.kind, tableText(view.view, 'any_kind'), content.kinds, kind => texts[language][kind] ?? kind);
};
const readFilters = () => Object.fromEntries(FILTERS.map(name => [name, filters[name].value]));
const changeFilters = () => { location.replace(withQuery(`#${view.view}`, readFilters())); };
filters.onsubmit = event => event.preventDefault();
filters.oninput = changeFilters;
filters.onreset = () => setTimeout(() => { for (const name of ['state', 'kind']) filters[name].value = ''; changeFilters(); });
const showPager = ({ selected, page, pages }) => {
  const step = (name, to) => {
    const element = node('button', t(name), { type: 'button', disabled: to < 1 || to > pages });
    element.dataset.page = name;
    element.onclick = () => { location.hash = withQuery(view.view, { ...view.fields, page: to }); scrollTo(0, 0); };
    return element;
  };
  fill(byId('pager'), [['pager', [selected, page, pages, language], () => node('span', undefined, { className: 'form' }, t('selected', selected), ' · ', t('page', page, pages), step('previous', page - 1), step('next', page + 1))]]);
};

// Drawing.

let content, drawn = {};
const draw = () => {
  showError();
  const isList = TABLES.includes(view.view) && view.key === undefined;
  const place = JSON.stringify([view.view, view.key, language]);
  if (drawn.place !== place) {
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
    document.querySelectorAll('[data-t]').forEach(element => { element.textContent = t(element.dataset.t); });
    for (const name of Object.keys(texts)) byId(name).setAttribute('aria-pressed', name === language);
    clearView();
    for (const name of FILTERS) filters[name].value = view.fields[name] ?? '';
  }
  for (const name of ['state', 'kind']) filters[name].dataset.wanted = view.fields[name] ?? '';
  filters.hidden = byId('pager').hidden = !isList;
  if (!content || content.url !== viewUrl()) { drawn = { place }; return; }
  if (drawn.place === place && drawn.json === content.json) return;
  drawn = { place, json: content.json };
  const state = JSON.parse(content.json);
  if (state.account) byId('account').textContent = `${t('available')} ${yuan(state.account.available)} · ${t('frozen_total')} ${yuan(state.account.frozen)}`;
  if (state.totals) fill(byId('tabs'), VIEWS.map(name => [name, [state.totals[name], name === view.view, language], () => {
    const tab = node('a', t(name), { href: '#' + name }, (name !== 'controls' || state.totals[name] > 0) && node('small', state.totals[name]));
    if (name === view.view) {
      tab.setAttribute('aria-current', 'page');
      setTimeout(() => tab.scrollIntoView({ block: 'nearest', inline: 'nearest' }));
    }
    return tab;
  }]));
  if (state.error) fill(byId('view'), [['error', state.error, () => panel('', muted(t('missing')), node('a', `← ${t('back')}`, { href: `#${view.view}` }))]]);
  else if (isList) {
    fill(byId('view'), [['table', 0, () => newTable(view.view)]]);
    fillTable(byId('view').firstElementChild, view.view, state.rows);
    showFilters(state);
    showPager(state);
  } else fill(byId('view'), view.view === 'controls' ? controlEntries(state) : detailEntries(view.view, state));
  // This attribute counts the drawings, for measurements in a browser.
  document.documentElement.dataset.drawn = Number(document.documentElement.dataset.drawn ?? 0) + 1;
};

let requests = 0;
const refresh = async () => {
  const number = ++requests, url = viewUrl();
  let json;
  try {
    const response = await fetch(url, { headers: acceptLanguage() });
    json = response.ok || response.status === 404 ? await response.text() : undefined;
  } catch { /* the sandbox has stopped */ }
  // Responses can arrive out of order. A response that is older than the shown one, or that belongs
  // to another view, is ignored.
  if (number < (content?.number ?? 0) || url !== viewUrl()) return;
  gone = json === undefined;
  if (!gone) content = { number, url, json };
  draw();
};
onhashchange = () => {
  view = parseHash();
  lastError = '';
  for (const name of FILTERS) if (document.activeElement !== filters[name]) filters[name].value = view.fields[name] ?? '';
  draw();
  refresh();
};
for (const name of Object.keys(texts)) byId(name).onclick = () => { language = name; storeLanguage(name); draw(); refresh(); };
byId('base').textContent = location.origin + '/';
const watch = async () => { try { if (!document.hidden) await refresh(); } finally { setTimeout(watch, POLL_MILLISECONDS); } };
watch();
