'use strict';
'require view';
'require dom';
'require poll';
'require ui';
'require hien.calls as calls';
'require hien.words as words';

/* What can be done for a guest: the method, its button, what it asks before, and what is said after. */
const deeds = (may, g) => [
	!g.blocked && !g.trusted && g.pass_left_seconds <= 0 && {
		method: 'admit', button: _('Let in'),
		done: _('%s is online.')
	},
	!g.blocked && !g.trusted && g.pass_left_seconds > 0 && {
		method: 'revoke', button: _('Take offline'),
		ask: _('%s goes offline now and sees the portal again. It may come in again.'),
		done: _('%s is no longer online, and sees the portal again.')
	},
	!g.blocked && !g.trusted && {
		method: 'trust', button: _('Trust'),
		ask: _('%s is always let in without the portal, in every zone. This is for devices of the shop, such as a till or a printer.'),
		done: _('%s is trusted: it is let in without the portal.')
	},
	!g.blocked && !g.trusted && {
		method: 'block', button: _('Block'), style: 'negative',
		ask: _('%s goes offline and is not let in again, in any zone. A phone may come back under another address.'),
		done: _('%s is blocked.')
	},
	g.trusted && { method: 'untrust', button: _('No longer trust'), done: _('%s is no longer trusted.') },
	g.blocked && { method: 'unblock', button: _('No longer block'), done: _('%s is no longer blocked.') }
].filter(deed => may && deed);

const stands = g => [
	g.blocked && _('blocked'),
	g.trusted && _('trusted'),
	!g.blocked && !g.trusted && (g.pass_left_seconds > 0 ? _('online, %s left').format(words.span(g.pass_left_seconds)) : _('at the door')),
	g.member && _('known from before'),
	g.gave && _('agreed to something'),
	g.waiting ? _('its code waits for the internet') : g.at_code && _('a code is on its way'),
	g.spent && _('volume used up')
].filter(said => said).join(', ');

return view.extend({
	load: () => calls.guests().catch(err => err),

	render(guests) {
		this.list = E('div');
		this.show(guests);
		poll.add(() => this.list.contains(document.activeElement) ? Promise.resolve() // nobody loses his place
			: calls.guests().catch(err => err).then(now => this.show(now)), 30);

		return E('div', {}, [
			E('style', {}, [
				'.hien-deeds{display:flex;flex-wrap:wrap;gap:6px}.hien-deeds .btn{margin:0}' +
				'.hien-guests .td,.hien-guests .th{vertical-align:top;text-align:left}' +
				'@media(max-width:600px){.hien-guests .td{flex:1 1 40%!important}.hien-guests .td.wide{flex:1 1 100%!important}.hien-deeds .btn{min-height:40px}}'
			]),
			E('h2', {}, [ _('Guests') ]),
			E('div', { 'class': 'cbi-map-descr' }, [ _('The devices that are in the shop now, those seen last first. The second half of each hardware address is hidden.') ]),
			this.list
		]);
	},

	show(guests) {
		if (guests instanceof Error)
			return dom.content(this.list, guests.message.split('\n').map(line => E('p', { 'class': 'alert-message error' }, words.shown(line))));

		const items = guests.items || [], zones = new Set(items.map(g => g.zone)).size > 1;

		if (!items.length)
			return dom.content(this.list, [ E('p', {}, [ E('em', {}, [ _('Nobody is in the shop.') ]) ]) ]);

		const titles = [ _('Device'), zones && _('Zone'), _('Here since'), _('Last seen'), _('State'), L.hasViewPermission() && _('What to do') ].filter(title => title);

		dom.content(this.list, [
			E('p', {}, [ guests.total > items.length
				? _('%s guests are in the shop; here are the %s seen last.').format(words.number(guests.total), words.number(items.length))
				: _('%s guests are in the shop, %s of them online.').format(words.number(items.length), words.number(items.filter(g => g.pass_left_seconds > 0).length)) ]),
			E('table', { 'class': 'table hien-guests' }, [
				E('tr', { 'class': 'tr table-titles' }, titles.map(title => E('th', { 'class': 'th', 'scope': 'col' }, [ title ])))
			].concat(items.map(g => this.row(g, zones))))
		]);
	},

	row(g, zones) {
		const addr = (g.addrs || [])[0],
		    cell = (title, children) => E('td', { 'class': 'td', 'data-title': title }, children), wide = children => E('td', { 'class': 'td wide' }, children),
		    offered = deeds(L.hasViewPermission(), g);

		return E('tr', { 'class': 'tr' }, [
			wide([ E('strong', {}, [ g.mac ]), addr ? ' ' : '', addr ? E('span', {}, [ addr ]) : '' ]),
			zones ? cell(_('Zone'), [ g.zone ]) : '',
			cell(_('Here since'), [ words.moment(g.since) ]),
			cell(_('Last seen'), [ words.moment(g.last_seen) ]),
			wide([ stands(g) ]),
			L.hasViewPermission() ? wide([ E('div', { 'class': 'hien-deeds' }, addr ? offered.map(deed => E('button', {
				'class': 'btn cbi-button cbi-button-' + (deed.style || 'neutral'),
				'aria-label': '%s: %s'.format(deed.button, g.mac),
				'click': ui.createHandlerFn(this, deed.ask ? 'ask' : 'act', g, deed)
			}, [ deed.button ])) : [ E('em', {}, [ _('no address yet') ]) ]) ]) : ''
		]);
	},

	ask(g, deed) {
		const no = E('button', { 'class': 'btn', 'click': ui.hideModal }, [ _('Cancel') ]);

		ui.showModal(deed.button, [
			E('p', {}, [ deed.ask.format('%s (%s)'.format(g.mac, g.addrs[0])) ]),
			E('div', { 'class': 'right' }, [ no, ' ', E('button', {
				'class': 'btn cbi-button cbi-button-' + (deed.style || 'action') + ' important',
				'click': ui.createHandlerFn(this, () => this.act(g, deed).finally(ui.hideModal))
			}, [ deed.button ]) ])
		]);
		no.focus();
	},

	act(g, deed) {
		return calls[deed.method](g.zone, g.addrs[0], g.mac.slice(0, 8)).then(
			() => ui.addNotification(null, E('p', {}, [ deed.done.format(g.mac) ]), 'success'),
			err => ui.addNotification(null, err.message.split('\n').map(line => E('p', {}, words.shown(line))), 'error')
		).then(() => calls.guests().catch(err => err)).then(now => this.show(now));
	},

	handleSave: null,
	handleSaveApply: null,
	handleReset: null
});
