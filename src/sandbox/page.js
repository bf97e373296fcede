'use strict';
// The page of the sandbox. It polls `/sandbox/list/TABLE` or `/sandbox/show/TABLE` and replaces what
// has changed. The hash of the URL names the view: `#orders?state=NOTPAY`, `#orders/KEY`.

const TABLES = ['orders', 'refunds', 'transfers', 'sharings', 'notifications', 'calls'];
const VIEWS = [...TABLES, 'controls'];
const FILTERS = ['search', 'state', 'kind', 'from', 'until'];
const POLL_MILLISECONDS = 1000;

// Language.

const LANGUAGE_KEY = 'wechatpay-sandbox-language';
// The browser may deny access to the storage, and another page of this origin may have stored any value.
const storedLanguage = () => { try { return localStorage.getItem(LANGUAGE_KEY); } catch { return null; } };
const storeLanguage = chosen => { try { localStorage.setItem(LANGUAGE_KEY, chosen); } catch { /* it is lost when the page is closed */ } };
let language = Object.hasOwn(texts, storedLanguage() ?? '') ? storedLanguage() : navigator.language.startsWith('zh') ? 'zh' : 'en';
const t = (key, ...values) => values.reduce((text, value, index) => text.replace(`{${index + 1}}`, () => value), texts[language][key] ?? key);
// A text of one table, or else of all.
const tableText = (table, key) => texts[language][`${table}.${key}`] ?? t(key);
const stateName = state => texts[language][`state.${state}`] ?? state;

// Elements.

const byId = id => document.getElementById(id);
// Sets text and never HTML, so that nothing that a merchant sends is executed.
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
// Local time in the form 2026-11-23 13:39:58, which is the Swedish one.
const time = milliseconds => new Date(milliseconds).toLocaleString('sv-SE');
const duration = milliseconds => milliseconds === null || milliseconds === undefined ? '…' : `${milliseconds < 10 ? milliseconds.toFixed(1) : Math.round(milliseconds)} ms`;
// The colour of each state; others are shown as errors.
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

// Puts elements into a container and leaves those that did not change, so that open details stay
// open and buttons stay where they are. An entry is its name, its data and the function that builds
// its element.
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
// What the user opened or typed stays when an element is built again.
const keepInputs = (before, after) => {
  const pairs = selector => { const old = before.querySelectorAll(selector); return [...after.querySelectorAll(selector)].map((element, index) => [old[index], element]).filter(([known]) => known); };
  for (const [known, element] of pairs('details')) element.open = known.open;
  for (const [known, element] of pairs('input, select, textarea')) { element.value = known.value; if (document.activeElement === known) setTimeout(() => element.focus()); }
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
// A form for a control call. `read` makes the fields of the call of those of the form, or throws.
const form = (call, submit, inputs, read = fields => fields) => {
  const result = node('pre', undefined, { hidden: true });
  const labels = inputs.map(({ name, wide, long, ...input }) => node('label', t(`field.${name}`), { className: wide ? 'wide' : long ? 'long' : '' }, Object.assign(inputElement(input), { name })));
  const element = node('form', undefined, { className: 'form' }, ...labels, node('button', submit, { className: 'main' }), result);
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
    const body = await control(call, fields);
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

// Tables.

// The actions of a record: buttons for control calls.
const sub = row => row.sub_mchid ? { sub_mchid: row.sub_mchid } : {};
const actions = {
  orders: order => {
    // A combined order is paid as a whole.
    const number = { out_trade_no: order.out_trade_no, ...sub(order) }, whole = order.combine_out_trade_no ? { out_trade_no: order.combine_out_trade_no } : number;
    return [
      isUnpaid(order) && button('pay', whole), order.state === 'NOTPAY' && button('expire', whole),
      isUnpaid(order) && (order.api === 'APIv2' || order.state !== 'NOTPAY') && button('fail-payment', number),
      isRefundable(order) && button('refund', number),
    ];
  },
  refunds: refund => ({ PROCESSING: ['SUCCESS', 'ABNORMAL', 'CLOSED'], ABNORMAL: ['SUCCESS'] }[refund.state] ?? [])
    .map(status => button('end-refund', { out_refund_no: refund.out_refund_no, status, ...sub(refund) }, { text: `→ ${status}` })),
  transfers: transfer => transfer.state === 'WAIT_USER_CONFIRM' ? [button('confirm', { out_bill_no: transfer.out_bill_no }), button('fail-transfer', { out_bill_no: transfer.out_bill_no })] : [],
  sharings: sharing => sharing.state === 'PROCESSING' ? ['SUCCESS', 'CLOSED'].map(result => button('end-profit-sharing', { out_order_no: sharing.out_order_no, result, ...sub(sharing) }, { text: `→ ${result}` })) : [],
  // A notification that must not be sent to its URL cannot be sent again either.
  notifications: notification => [notification.state !== 'not sent' && button('replay', { id: notification.id })],
};
const isUnpaid = order => ['NOTPAY', 'USERPAYING', 'ACCEPT'].includes(order.state);
const isRefundable = order => ['SUCCESS', 'REFUND'].includes(order.state) && order.remaining > 0;
const rowActions = (table, row) => node('div', undefined, { className: 'buttons' }, ...(actions[table]?.(row) ?? []));
const actionColumn = table => ({ name: 'actions', cell: row => rowActions(table, row) });
const timeColumn = { name: 'time', cell: row => time(row.created_at) };
const stateColumn = { name: 'state', cell: row => badge(row.state) };
const amountColumn = { name: 'amount', cell: row => yuan(row.amount) };
const numberColumn = (table, field, others = () => []) => ({
  name: 'number', field, cell: row => [div(link(table, row.key, row[field])), muted(row.sub_mchid && `sub_mchid ${row.sub_mchid}`, ...others(row))],
});
const fieldColumn = field => ({ name: 'number', field, cell: row => row[field] ?? '' });
const columns = {
  orders: [
    numberColumn('orders', 'out_trade_no', order => [order.combine_out_trade_no, order.description, order.attach]),
    { name: 'type', cell: order => [div(order.trade_type), muted(order.api)] },
    { name: 'amount', cell: order => [div(yuan(order.total)), order.refunded > 0 && muted(`${t('refunded')} ${yuan(order.refunded)}`), order.shared > 0 && muted(`${t('shared')} ${yuan(order.shared)}`)] },
    stateColumn, fieldColumn('transaction_id'), timeColumn, actionColumn('orders'),
  ],
  refunds: [
    numberColumn('refunds', 'out_refund_no', refund => [refund.reason]), { name: 'number', field: 'out_trade_no', cell: refund => link('orders', refund.order, refund.out_trade_no) },
    amountColumn, stateColumn, fieldColumn('refund_id'), timeColumn, actionColumn('refunds'),
  ],
  transfers: [numberColumn('transfers', 'out_bill_no', transfer => [transfer.transfer_remark]), amountColumn, stateColumn, fieldColumn('transfer_bill_no'), timeColumn, actionColumn('transfers')],
  sharings: [
    numberColumn('sharings', 'out_order_no'), { name: 'number', field: 'transaction_id', cell: sharing => link('orders', sharing.order, sharing.transaction_id) },
    amountColumn, stateColumn, fieldColumn('order_id'), timeColumn, actionColumn('sharings'),
  ],
  notifications: [
    { name: 'event', field: 'event_type', cell: notification => [div(link('notifications', notification.key, notification.event_type)), muted(...notification.about.map(([, number]) => number))] },
    { name: 'url', field: 'notify_url', cell: notification => notification.notify_url },
    { name: 'state', cell: notification => [badge(notification.state, notification.outcome), notification.next_at && muted(`${t('name.next_at')} ${time(notification.next_at)}`)] },
    { name: 'attempts', cell: notification => [div(notification.attempts), notification.last_status && muted(notification.last_status)] },
    timeColumn, actionColumn('notifications'),
  ],
  calls: [
    { name: 'request', cell: call => [div(link('calls', call.key, `${call.method} ${call.target}`)), muted(call.title)] },
    { name: 'status', cell: call => [div(statusBadge(call.status)), muted(call.fault)] },
    { name: 'signature', cell: call => [div(badge(call.signature, t(call.signature))), call.explanation && node('div', call.explanation, { className: 'bad' }), call.findings.length > 0 && node('div', `${t('findings')}: ${call.findings.length}`, { className: 'busy' })] },
    { name: 'elapsed', cell: call => duration(call.elapsed) },
    { name: 'number', field: 'Request-ID', cell: call => call.request_id },
    timeColumn,
  ],
  entries: [
    { name: 'type', cell: entry => t(`entry.${entry.kind}`) }, { name: 'service_number', cell: entry => entry.number },
    { name: 'amount', cell: entry => `${entry.is_income ? '+' : '−'}${yuan(entry.amount)}` }, { name: 'balance', cell: entry => yuan(entry.balance) }, timeColumn,
  ],
  receivers: [fieldColumn('type'), fieldColumn('account'), amountColumn, { name: 'state', field: 'result', cell: receiver => [badge(receiver.result), muted(receiver.fail_reason)] }, { name: 'number', field: 'description', cell: receiver => receiver.description }],
  returns: [fieldColumn('out_return_no'), fieldColumn('return_id'), amountColumn, timeColumn],
};
const columnTitle = ({ name, field }) => field ? texts[language][`name.${field}`] ?? field : t(name);
const heading = column => node('th', columnTitle(column), { scope: 'col', className: column.name }, column.field && column.field !== columnTitle(column) && node('code', column.field));
const makeRow = table => item => {
  const row = node('tr');
  row.dataset.key = item.key ?? '';
  for (const column of columns[table]) {
    // On a narrow screen this element is beside the name of the column.
    const cell = node('td', undefined, { className: column.name }, div(...[column.cell(item)].flat()));
    cell.dataset.name = columnTitle(column);
    if (column.field) cell.dataset.field = column.field;
    row.append(cell);
  }
  return row;
};
const emptyRow = table => {
  const row = node('tr', undefined, {}, node('td', t('none'), { colSpan: columns[table].length, className: 'none' }));
  row.dataset.key = '';
  return row;
};
const newTable = table => {
  const element = node('table', undefined, {}, node('thead', undefined, {}, node('tr', undefined, {}, columns[table].map(heading))), node('tbody'));
  element.dataset.table = table;
  return element;
};
const fillTable = (element, table, rows) => fill(element.tBodies[0], rows.length ? rows.map(row => [String(row.key), row, makeRow(table)]) : [['', null, () => emptyRow(table)]]);
const relatedTable = table => rows => {
  const element = newTable(table);
  element.tBodies[0].append(...rows.map(makeRow(table)));
  return panel(t(table), element);
};

// Details.

const AMOUNTS = ['total', 'refunded', 'shared', 'frozen', 'remaining', 'amount'];
const TIMES = ['created_at', 'paid_at', 'time_expire', 'updated_at', 'success_time', 'next_at'];
const HIDDEN = ['key', 'has_qr_code', 'about', 'findings', 'explanation', 'receivers', 'signature', 'method', 'target'];
const fieldValue = (name, value, row) => {
  if (AMOUNTS.includes(name)) return yuan(value);
  if (TIMES.includes(name)) return time(value);
  if (name === 'order') return link('orders', value, row.out_trade_no ?? value);
  if (name === 'state') return badge(value);
  if (name === 'outcome') return badge(row.state, value);
  if (name === 'elapsed') return duration(value);
  return String(value);
};
// The fields of a record, with their names in the API as labels.
const summary = row => node('dl', undefined, {}, ...Object.entries(row)
  .filter(([name, value]) => !HIDDEN.includes(name) && value !== undefined && value !== null && value !== '' && value !== false)
  // The outcome of a notification is its state in words.
  .filter(([name]) => name !== 'state' || row.outcome === undefined)
  .filter(([name, value]) => value !== 0 || !['refunded', 'shared', 'frozen'].includes(name))
  .map(([name, value]) => div(node('dt', texts[language][`name.${name}`] ?? '', {}, ' ', node('code', name)), node('dd', undefined, { className: name }, fieldValue(name, value, row)))));
const headersText = headers => headers.map(([name, value]) => `${name}: ${value}`).join('\n');
const bodyView = ({ text, hex, length, shown, is_indented }) => [
  muted(shown < length ? t('cut', length, shown) : t('bytes', length), is_indented && t('indented')),
  length === 0 ? '' : node('pre', text, { hidden: text === '' }), hex !== '' && node('pre', hex),
];
const messageView = (title, { headers, body }, names, ...others) => panel(title, node('h3', names[0]), node('pre', headersText(headers), { className: 'headers' }), node('h3', names[1]), bodyView(body), ...others);
const copyButton = (name, text) => {
  const element = node('button', t(name), { type: 'button' });
  element.onclick = async () => {
    try { await navigator.clipboard.writeText(text); element.textContent = t('copied'); } catch { /* the text below can be selected */ }
    setTimeout(() => { element.textContent = t(name); }, 1500);
  };
  return element;
};
// The lines of a message, with those marked that differ from another message.
const marked = (text, other) => {
  const lines = text.split('\n'), others = other.split('\n');
  return node('pre', undefined, {}, ...lines.map((line, index) => node(other && line !== others[index] ? 'mark' : 'span', line || ' ')));
};
const signatureView = ({ check, row }) => panel(t('signature'), badge(row.signature, t(row.signature)), row.explanation && node('p', row.explanation, { className: 'bad' }),
  check.expected && node('div', undefined, { className: 'sides' },
    div(node('h3', t('expected')), marked(check.expected, check.signed)),
    row.signature === 'invalid' && div(node('h3', t('signed')), check.signed ? marked(check.signed, check.expected) : muted(t('unknown_signed')))));
const attemptView = attempt => panel('', div(time(attempt.at), ' · ', attempt.status ? statusBadge(attempt.status) : badge('no response'), ' · ', duration(attempt.elapsed), attempt.fault && ` · ${attempt.fault}`),
  attempt.error && node('p', attempt.error, { className: 'bad' }), attempt.response && node('pre', attempt.response),
  attempt.sealed ? details(t('sealed'), node('pre', headersText(attempt.sealed.headers), { className: 'headers' }), bodyView(attempt.sealed.body)) : muted(t('not_kept')));

const headSection = table => ({ row, template, base_uri, original_type, fail_reasons }) => panel('', div(node('a', `← ${t('back')}`, { href: `#${table}` })),
  node('h2', table === 'calls' ? `${row.method} ${row.target}` : row[{ orders: 'out_trade_no', refunds: 'out_refund_no', transfers: 'out_bill_no', sharings: 'out_order_no', notifications: 'event_type' }[table]]),
  summary({ ...row, template, base_uri, original_type }), recordControls(table, row, fail_reasons),
  row.has_qr_code && details(t('qr'), node('img', undefined, { loading: 'lazy', width: 180, height: 180, alt: t('qr'), src: '/sandbox/qr/' + encodeURIComponent(row.out_trade_no) + withQuery('.svg', sub(row)) })));
// Controls of one record that need an input.
const reasonOptions = reasons => ['', ...reasons].map(reason => [reason, reason]);
const controlsOf = {
  orders: order => isRefundable(order) && form('refund', t('refund'), [{ name: 'amount', type: 'number', min: 1, max: order.remaining, value: order.remaining }],
    ({ amount }) => ({ out_trade_no: order.out_trade_no, amount: Number(amount), ...sub(order) })),
  transfers: (transfer, reasons) => transfer.state === 'WAIT_USER_CONFIRM' && form('fail-transfer', t('fail-transfer'), [{ name: 'fail_reason', options: reasonOptions(reasons) }],
    fields => ({ out_bill_no: transfer.out_bill_no, ...fields })),
  sharings: (sharing, reasons) => sharing.state === 'PROCESSING' && form('end-profit-sharing', t('apply'), [
    { name: 'account', options: [['', ''], ...sharing.receivers.filter(({ result }) => result === 'PENDING').map(({ account }) => [account, account])] },
    { name: 'result', options: ['SUCCESS', 'CLOSED'].map(result => [result, result]) }, { name: 'fail_reason', options: reasonOptions(reasons) }, { name: 'notify_url', type: 'url', long: true },
  ], fields => ({ out_order_no: sharing.out_order_no, ...fields, ...sub(sharing) })),
};
// The buttons of a record, and its form, which replaces the buttons for the same call.
const recordControls = (table, row, reasons) => {
  const buttons = rowActions(table, row), controls = controlsOf[table]?.(row, reasons);
  if (controls) buttons.querySelectorAll(`[data-call=${controls.dataset.call}]`).forEach(element => element.remove());
  return [buttons, controls];
};
const detailEntries = (table, content) => {
  const { row, related, template, base_uri, original_type, fail_reasons } = content;
  const entries = [['head', { row, template, base_uri, original_type, fail_reasons }, headSection(table)]];
  const add = (name, data, build) => { if (data !== undefined && data !== null) entries.push([name, data, build]); };
  if (table === 'calls') {
    if (row.findings.length) add('findings', row.findings, findings => panel(t('findings'), node('ul', undefined, {}, ...findings.map(finding => node('li', finding)))));
    add('signature', { check: content.check, row }, signatureView);
    add('messages', { request: content.request, response: content.response, body_file: content.body_file }, ({ request, response, body_file }) => node('div', undefined, { className: 'sides' },
      messageView(t('request'), request, [t('headers'), t('body')], request.body.length > 0 && node('a', t('download'), { href: `/sandbox/body/${row.number}`, download: body_file })),
      messageView(t('response'), response, [t('response_headers'), t('response_body')])));
    add('commands', { curl: content.curl, wxpay: content.wxpay }, ({ curl, wxpay }) => panel('', node('div', undefined, { className: 'buttons' }, copyButton('copy_curl', curl), wxpay && copyButton('copy_wxpay', wxpay)), muted(t('curl_note')),
      details('curl', node('pre', curl)), wxpay && details('wxpay req', node('pre', wxpay))));
  } else if (table === 'notifications') {
    add('opened', content.resource, resource => panel(t('opened'), node('pre', resource)));
    add('attempts', content.attempts, attempts => div(node('h2', t('attempt')), ...(attempts.length ? attempts.map(attemptView).reverse() : [muted(t('none'))])));
  } else {
    add('request', content.request, request => panel(t('request'), details(t('show'), node('pre', request))));
    if (row.receivers) add('receivers', row.receivers, relatedTable('receivers'));
    if (content.returns?.length) add('returns', content.returns, relatedTable('returns'));
  }
  for (const name of [...TABLES, 'entries']) if (related[name]?.length) add(`related-${name}`, related[name], relatedTable(name));
  return entries;
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
  // A filter can select what no record has any more.
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
  // For measurements.
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
  // Responses can arrive out of order. One that is older than the shown one, or of another view, is ignored.
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
