'use strict';
'require view';
'require dom';
'require poll';
'require uci';
'require ui';
'require hien.calls as calls';
'require hien.words as words';

const style = '.hien h3{line-height:1.3;margin:18px 0 6px}' +
	'.hien-tiles{display:flex;flex-wrap:wrap;gap:8px;margin:0 0 18px}' +
	'.hien-tiles>div{flex:1 1 8em;padding:10px 12px;border:1px solid rgba(128,128,128,.35);border-radius:6px}' +
	'.hien-tiles dt{font-weight:normal}' +
	'.hien-tiles dd{margin:0;font-size:2em;line-height:1.3;font-variant-numeric:tabular-nums}' +
	'.hien-tiles small{display:block;font-size:13px;line-height:18px}' +
	'.hien-todo{margin:6px 0 0 18px}.hien-todo:empty{display:none}.hien-todo li{color:inherit}' +
	'.hien-deeds{display:flex;flex-wrap:wrap;gap:8px;margin:0 0 18px}.hien-deeds .btn{margin:0}' +
	'.hien-parts .td{text-align:left;vertical-align:top}.hien-parts .td:first-child{width:10em;font-weight:bold}' +
	'.hien-found{list-style:none;margin:0;padding:0}' +
	'.hien-found li{padding:8px 0 8px 12px;margin:0 0 8px;border-left:4px solid rgba(128,128,128,.5);color:inherit}' +
	'.hien-found .bad{border-color:#d00000}.hien-found .warn{border-color:#e0a800}' +
	'.hien-found code{display:block;margin-top:4px;padding:4px 6px;overflow-wrap:anywhere;user-select:all}' +
	'.hien-phones .td,.hien-phones .th{text-align:left}' +
	'@media(max-width:600px){.hien-tiles>div{flex-basis:40%}.hien-phones .td::before{display:none!important}.hien-parts .td{flex:1 1 100%!important}.hien-deeds .btn{min-height:40px;flex:1 1 auto}}';

/* What the states are called; one that is not here is shown as it came. */
const states = () => ({
	'open': _('kept'), 'closed': _('not kept'), 'not readable': _('cannot be read'),
	'idle': _('nothing to deliver'), 'delivering': _('delivering'), 'retrying': _('tries again'), 'stopped': _('stopped'),
	'up': _('works'), 'down': _('does not work'), 'not known': _('not known')
});

/* parts are the rows of the table: what, and how it is. */
function parts(s) {
	const rows = [], row = (title, ...said) => rows.push([ title, said.filter(text => text).join(', ') ]),
	      wall = s.firewall, net = s.internet || {}, called = state => states()[state] || state;

	row(_('Door'), wall.released ? _('guests are not stopped')
		: s.open_until ? _('open to everybody until %s').format(words.moment(s.open_until)) : _('guests see the portal first'));

	for (const z of s.zones)
		row(_('Portal'), '%s: %s'.format(z.name, words.say(z.state)), (z.portal || []).join(', '),
			_('%s of %s guests online').format(words.number(z.with_pass), words.number(z.guests)));

	row(_('Firewall'), wall.backend, wall.broken ? _('not as it should be') : _('in order'),
		wall.repairs ? _('mended %s times, last at %s').format(words.number(wall.repairs), words.moment(wall.last_repair)) : '');
	row(_('Record'), called(s.record.state), s.safe_mode ? '' : s.record.detail);

	for (const c of s.couriers || [])
		row(_('Delivery'), '%s: %s'.format(c.sink, called(c.state)), c.waiting ? _('%s events wait').format(words.number(c.waiting)) : '',
			c.parked ? _('%s were refused').format(words.number(c.parked)) : '',
			c.last_success ? _('last delivery at %s').format(words.moment(c.last_success)) : '');

	if (net.state)
		row(_('Internet'), called(net.state), net.codes_waiting ? _('%s codes wait for it').format(words.number(net.codes_waiting)) : '');

	row(_('Clock'), s.clock.in_step ? _('in step') : _('not set yet; what is recorded now is stamped again when it is'));

	if (s.memory)
		row(_('Memory'), '%s MiB'.format(words.number(Math.round(s.memory / 104857.6) / 10)));

	row(_('Running'), _('for %s').format(words.span(s.up_seconds)), _('version %s').format(s.version));

	return rows;
}

/* renew draws anew what reads differently: the focus stays, and nothing is read out twice. */
function renew(node, children) {
	const fresh = E('div', {}, children);

	if (fresh.textContent != node.textContent)
		dom.content(node, [ ...fresh.childNodes ]);
}

const opens = () => ({ yes: _('opens'), late: _('opens late'), partly: _('opens sometimes'), no: _('does not open') });
const severities = () => ({ bad: _('To mend'), warn: _('To look at'), note: _('Note'), ok: _('Fine') });

/* till is the code of the shop's till, where guests are asked for one. */
const till = () => uci.sections('hien', 'sender').some(sender => sender.type == 'staff') ? calls.tillcode().catch(() => null) : null;

return view.extend({
	load: () => Promise.all([
		calls.status().catch(err => err),
		calls.numbers().catch(() => ({})),
		calls.findings().catch(() => ({})),
		uci.load('hien').catch(() => []).then(till)
	]),

	render([ status, numbers, findings, code ]) {
		for (const name of [ 'verdict', 'tiles', 'door', 'parts', 'doctor' ])
			this[name] = E('div');

		this.verdict.setAttribute('role', 'status');
		this.numbers = numbers;
		this.code = code;
		this.show(status);
		this.diagnosis(findings);
		poll.add(() => this.refresh(), 20);

		return E('div', { 'class': 'hien' }, [
			E('style', {}, [ style ]),
			E('h2', {}, [ _('Guest WiFi today') ]),
			this.verdict, this.tiles, this.door,
			E('h3', {}, [ _('Phones and the portal') ]), this.doctor,
			this.parts
		]);
	},

	refresh() {
		return Promise.all([ calls.status().catch(err => err), till() ]).then(([ status, code ]) => {
			this.code = code;
			this.show(status);
		});
	},

	show(s) {
		this.status = s;

		const down = s instanceof Error, wrong = down ? s.message.split('\n') : s.todo || [];

		if (down && uci.get('hien', 'main', 'enabled') == '0')
			wrong.splice(0, wrong.length, _('Hiên is switched off.'), _('`hien setup` makes the guest network and switches it on; where there is one, the settings do.'));

		renew(this.verdict, [
			!down && s.safe_mode ? E('div', { 'class': 'alert-message error' }, [
				E('strong', {}, [ _('Safe mode since %s.').format(words.moment(s.since)) ]), ' '
			].concat(words.shown(_('Hiên crashed three times within ten minutes. Guests are greeted and let in; nothing is asked, looked at or sent. Look into the log, and restart Hiên ten minutes later: `/etc/init.d/hien restart`')))) : '',
			!down && s.open_until ? E('div', { 'class': 'alert-message notice' }, [
				_('The door is open to everybody until %s, without the portal. It shuts by itself.').format(words.moment(s.open_until))
			]) : '',
			E('div', { 'class': 'alert-message ' + (down ? 'error' : wrong.length || s.summary != 'All is well.' ? 'warning' : 'success') }, [
				E('strong', {}, words.shown(down ? wrong.shift() : s.summary)),
				E('ul', { 'class': 'hien-todo' }, wrong.map(line => E('li', {}, words.shown(line))))
			])
		]);

		renew(this.tiles, down ? [] : [ this.count(s) ]);
		renew(this.door, down ? [] : [ E('h3', {}, [ _('The door') ]) ].concat(this.doors(s)));
		renew(this.parts, down ? [] : [ E('h3', {}, [ _('How each part is') ]), E('table', { 'class': 'table hien-parts' }, parts(s).map(([ title, said ]) =>
			E('tr', { 'class': 'tr' }, [ E('td', { 'class': 'td' }, [ title ]), E('td', { 'class': 'td' }, [ said ]) ]))) ]);
	},

	/* count is today in four numbers, and the code for guests who ask at the till. */
	count(s) {
		const tile = (title, n, note) => E('div', {}, [ E('dt', {}, [ title ]), E('dd', {}, [ n == null ? '–' : n, E('small', {}, [ note || ' ' ]) ]) ]),
		    sum = key => s.zones.reduce((n, z) => n + z[key], 0),
		    midnight = new Date().setHours(0, 0, 0, 0), { leads, visits, starts } = this.numbers,
		    today = (starts || []).filter(start => new Date(start) >= midnight).length;

		return E('dl', { 'class': 'hien-tiles' }, [
			this.code ? tile(_('Code at the till'), this.code.code.replace(/^(...)(...)$/, '$1 $2'), _('shown for %s more').format(words.span(this.code.seconds_left))) : '',
			tile(_('In the shop now'), words.number(sum('guests'))),
			tile(_('Online'), words.number(sum('with_pass'))),
			tile(_('Visits today'), visits == null ? null : words.number(today) + (today && today == starts.length && visits > today ? '+' : ''),
				visits == null ? '' : _('%s in all, of those who agreed').format(words.number(visits))),
			tile(_('Agreed to something'), leads == null ? null : words.number(leads), leads == null ? '' : _('people in all'))
		]);
	},

	doors(s) {
		const may = L.hasViewPermission();

		if (s.open_until)
			return [
				E('p', {}, [ _('Everybody is let in, but for devices that are blocked.') ]),
				may ? E('div', { 'class': 'hien-deeds' }, [ this.button(_('Shut it now'), 'action', () => this.act(calls.shut, _('The door is shut: guests without a pass see the portal.'))) ]) : ''
			];

		return [
			E('p', {}, [ _('Guests without a pass see the portal first. For an event, or when something is wrong, everybody can be let in for a while.') ]),
			may ? E('div', { 'class': 'hien-deeds' }, [ 1, 2 ].map(hours => this.button(hours == 1 ? _('Open for 1 hour') : _('Open for 2 hours'), 'neutral', () => this.ask(hours)))) : ''
		];
	},

	button(title, kind, then) {
		return E('button', { 'class': 'btn cbi-button cbi-button-' + kind, 'click': ui.createHandlerFn(this, then) }, [ title ]);
	},

	ask(hours) {
		const no = E('button', { 'class': 'btn', 'click': ui.hideModal }, [ _('Cancel') ]),
		    wait = this.status.zones.reduce((n, z) => n + z.guests - z.with_pass, 0), title = hours == 1 ? _('Open for 1 hour') : _('Open for 2 hours');

		ui.showModal(title, [
			E('p', {}, [ _('Everybody comes in without the portal, also the %s guests who are here and not online; only blocked devices do not. Nothing is asked. The door shuts by itself, and this is written down.').format(words.number(wait)) ]),
			E('div', { 'class': 'right' }, [ no, ' ', this.button(title, 'action important', () =>
				this.act(() => calls.open('%d'.format(hours)), _('The door is open to everybody.')).finally(ui.hideModal)) ])
		]);
		no.focus();
	},

	act(deed, done) {
		return deed().then(
			() => ui.addNotification(null, E('p', {}, [ done ]), 'success'),
			err => ui.addNotification(null, err.message.split('\n').map(line => E('p', {}, words.shown(line))), 'error')
		).then(() => this.refresh());
	},

	/* examine has the doctor play a guest, and waits for what he finds: a minute at most. */
	examine() {
		const look = tries => calls.findings().then(found => found.running && tries
			? new Promise(then => window.setTimeout(then, 2000)).then(() => look(tries - 1)) : found);

		dom.content(this.doctor, [ E('p', { 'class': 'spinning', 'role': 'status' }, [ _('Hiên plays a guest. That takes some seconds, up to a minute when much is wrong.') ]) ]);

		return calls.examine(words.language()).then(() => look(40)).catch(err => err).then(found => this.diagnosis(found));
	},

	diagnosis(found) {
		const r = found.report, phones = (r || {}).phones || [], zones = new Set(phones.map(v => v.zone)).size > 1,
		    columns = [
			zones && [ _('Zone'), v => v.zone ],
			[ _('Phones'), v => v.os ],
			[ _('Portal'), v => opens()[v.opens] + (v.unproven ? ' (%s)'.format(_('not tried as a guest')) : '') ],
			[ _('Within'), v => v.redirected ? '%d ms'.format(v.slowest_ms) : '–' ]
		].filter(column => column);

		dom.content(this.doctor, [
			found instanceof Error ? E('div', { 'class': 'alert-message error' }, found.message.split('\n').map(line => E('p', {}, words.shown(line)))) : '',
			E('p', {}, [ r ? E('strong', {}, [ r.summary ]) : _('Hiên can play a guest for some seconds and see whether every phone opens the portal. Nothing is changed.'),
				found.at ? ' ' + _('Looked at %s.').format(words.moment(found.at * 1000)) : '' ]),
			L.hasViewPermission() ? E('div', { 'class': 'hien-deeds' }, [ this.button(_('Check'), 'action', 'examine') ]) : '',
			phones.length ? E('table', { 'class': 'table hien-phones' }, [
				E('tr', { 'class': 'tr table-titles' }, columns.map(([ title ]) => E('th', { 'class': 'th', 'scope': 'col' }, [ title ])))
			].concat(phones.map(v => E('tr', { 'class': 'tr' }, columns.map(([ title, tell ]) => E('td', { 'class': 'td', 'data-title': title }, [ tell(v) ])))))) : '',
			E('ul', { 'class': 'hien-found' }, ((r || {}).findings || []).map(f => E('li', { 'class': f.severity }, [
				E('strong', {}, [ severities()[f.severity] ]), ': ', f.zone ? _('Zone %s.').format(f.zone) + ' ' : '', f.text,
				f.phones && f.phones.length ? ' ' + _('Felt by: %s.').format(f.phones.join(', ')) : '',
				f.unproven ? ' ' + _('This was read from settings and not tried.') : '',
				f.command ? E('code', {}, [ f.command ]) : ''
			])))
		]);
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
