'use strict';
// The tables of the page, and the details of a record. The helper functions are in page.js.

// Tables.

// The actions of a record: buttons for control calls.
const sub = row => row.sub_mchid ? { sub_mchid: row.sub_mchid } : {};
const actions = {
  orders: order => {
    // The orders of a combined order are paid together.
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
  // A notification that was not sent because its URL is not allowed cannot be sent again.
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
    // On a narrow screen, the name of the column is shown next to this element.
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
  // For a notification, `outcome` describes the state, so `state` is omitted.
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
// The lines of a message. Lines that differ from the other message are marked.
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
// Forms for the actions on a record that need input.
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
// The buttons and the form of a record. The form replaces the buttons for the same call.
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
