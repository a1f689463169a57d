'use strict';
'require view';
'require dom';
'require form';
'require uci';
'require ui';
'require hien.calls as calls';
'require hien.limits as limits';
'require hien.words as words';

const purposes = () => [
	[ 'visit_frequency', _('count visits') ],
	[ 'contact_zalo', _('news by Zalo') ],
	[ 'contact_sms', _('news by SMS') ],
	[ 'ads_audience', _('advertising audiences') ],
	[ 'profile_extra', _('what guests tell at the counter') ]
];

const presets = () => [
	[ 'ocsp', _('certificates: where phones ask whether one still holds') ],
	[ 'ntp', _('time servers') ],
	[ 'zalo', _('log in with Zalo') ],
	[ 'zalo-app', _('all of Zalo') ]
];

const policies = () => [
	[ 'vn-2026', _('Vietnam: Law 91/2025/QH15') ],
	[ 'vn-2023', _('Vietnam, before 2026: Decree 13/2023/NĐ-CP') ],
	[ 'eu-gdpr', _('European Union: GDPR') ]
];

const modes = () => [
	[ 'frequency', _('a history of visits, of those who agree to it') ],
	[ 'basic', _('a number and one time') ]
];

/* field adds an option whose value must be within the table's limits. */
function field(section, widget, option, title, description, placeholder) {
	const o = section.option(widget, option, title, description);

	o.placeholder = placeholder;
	o.validate = (id, value) => [].concat(value).map(one => limits.allows(option, one)).find(said => said !== true) || true;

	return o;
}

/* text is a field of some lines on the screen, and of one in the file. */
function text(section, ...about) {
	const o = field(section, form.TextValue, ...about), one = value => value.replace(/\s+/g, ' ').trim(), within = o.validate;

	o.rows = 3;
	o.validate = (id, value) => within(id, one(value));
	o.write = (id, value) => uci.set('hien', id, o.option, one(value));
}

/* choice is a list of some that are known; what else stands in the file stays, and so does its order. */
function choice(section, known, ...about) {
	const o = field(section, form.MultiValue, ...about), offer = new Set();

	const add = (value, title) => {
		if (!offer.has(value))
			o.value(value, title);

		offer.add(value);
	};

	known.forEach(([ value, title ]) => add(value, title));
	o.validate = () => true;
	o.load = id => {
		const values = L.toArray(uci.get('hien', id, o.option));

		values.forEach(value => add(value, value));

		return values;
	};
	o.write = (id, value) => {
		const was = L.toArray(uci.get('hien', id, o.option)), now = L.toArray(value);

		if (was.length != now.length || was.some(one => !now.includes(one)))
			uci.set('hien', id, o.option, now);
	};
}

/* box is ticked or not, and as unset without the option; the file is written when it says something else. */
function box(section, unset, option, ...about) {
	const o = section.option(form.Flag, option, ...about);

	o.default = unset;
	o.write = (id, value) => {
		if (uci.get('hien', id, option) != value)
			uci.set('hien', id, option, value);
	};
}

/* one is one of some values; the first stands for an option that is not there, and is not written for that. */
function one(section, known, ...about) {
	const o = field(section, form.ListValue, ...about);

	known.forEach(([ value, title ]) => o.value(value, title));
	o.load = id => uci.get('hien', id, o.option) || known[0][0];
}

/* networks has the fields that follow for each guest network, under its name when there are several. */
function networks(map, ...about) {
	const s = map.section(form.TypedSection, 'zone', ...about);

	s.anonymous = uci.sections('hien', 'zone').length == 1;

	return s;
}

return view.extend({
	load: () => Promise.all([ uci.load('hien'), calls.check().catch(err => err) ]),

	render([ , checked ]) {
		const m = new form.Map('hien', _('Settings of the guest WiFi'), _('What is saved and applied is read at once; guests who are online notice nothing.'));

		this.said = E('div', { 'role': 'status' });
		this.tell(checked);

		let s = m.section(form.NamedSection, 'main', 'hien', _('The shop'));

		box(s, '1', 'enabled', _('Switched on'), _('When it is off, guests have no portal and no internet.'));

		field(s, form.Value, 'store_name', _('Name'), _('Stands on the portal.'));

		s = networks(m, _('The page for guests'));

		text(s, 'offer', _('Offer'), _('For everybody who comes in, whether they give something or not: one or two sentences.'));
		text(s, 'terms', _('Terms of the WiFi'), _('The rules of the house, shown before anybody comes in.'));
		choice(s, purposes(), 'purpose', _('What is asked'), _('Each is asked for on its own, with a box that is not ticked. None: nothing is asked.'));
		box(s, '0', 'children', _('A place for children'), _('A school, a play area: nobody is asked anything. Elsewhere guests are first asked whether they are old enough.'));

		s = m.section(form.NamedSection, 'main', 'hien', _('Who answers for the data'), _('Guests read this before they agree. While something is missing that the law wants there, they are asked nothing.'));

		field(s, form.Value, 'controller_name', _('Company or owner'), _('As registered.'));
		field(s, form.Value, 'controller_address', _('Address'));
		field(s, form.Value, 'controller_tax_id', _('Tax id'));
		field(s, form.Value, 'controller_contact', _('For questions about data'), _('An address for mail, or a telephone number.'));
		field(s, form.DynamicList, 'recipient', _('Who receives data'), _('By name, such as the platform. At least one as soon as data is delivered.'));
		field(s, form.Value, 'operator', _('Who works on it for the shop'), _('A company that runs this gateway for the shop, if there is one.'));
		field(s, form.Value, 'transfer', _('Where data goes abroad'), _('The countries, if it does.'));
		one(s, policies(), 'policy', _('By which law'));
		one(s, modes(), 'mode', _('What is kept of a person'), _('With a number and one time alone, visits cannot be counted.'));

		s = networks(m, _('Time and speed'), _('Speeds are in bits per second, such as 512k or 4M. A field that is left empty limits nothing.'));

		field(s, form.Value, 'pass', _('Online for'), _('Then the portal is shown again: 90m, 4h, 1d.'), '4h');
		field(s, form.Value, 'idle', _('Ends when idle for'), _('A phone that sleeps carries little: give it 15m or more. 0 for never.'), '0');
		field(s, form.Value, 'volume', _('Volume'), _('What each guest may carry while online, such as 500M or 2G.'));
		field(s, form.Value, 'down', _('Download of each guest'));
		field(s, form.Value, 'up', _('Upload of each guest'));
		field(s, form.Value, 'all_down', _('Download of all guests'), _('Leave the shop its share of the line.'));
		field(s, form.Value, 'all_up', _('Upload of all guests'));

		s = networks(m, _('Without the portal'));

		choice(s, presets(), 'garden_preset', _('Reached before coming in'), _('Lists that come with Hiên.'));
		field(s, form.DynamicList, 'garden', _('And these names'), _('Each with all beneath it, such as menu.example.com; addresses and networks too.'));
		field(s, form.DynamicList, 'trusted', _('Trusted devices'), _('Hardware addresses that are let in without the portal: a till, a printer.'), '02:00:5e:10:00:01');
		field(s, form.DynamicList, 'blocked', _('Blocked devices'), _('Hardware addresses that are not let in. Phones can change theirs.'));

		return m.render().then(node => E('div', {}, [
			E('style', {}, [ '.hien-said ul{margin:6px 0 0 18px}.hien-said li{color:inherit;overflow-wrap:anywhere}' ]),
			this.said, node
		]));
	},

	/* tell shows what is wrong with the settings, by the names that the form has for them. */
	tell(checked) {
		const failed = checked instanceof Error, says = (failed ? checked.message.split('\n') : checked.says).filter(line => line),
		    fine = !failed && checked.fine;

		dom.content(this.said, !says.length ? [] : [ E('div', { 'class': 'hien-said alert-message ' + (fine ? 'notice' : 'error') }, [
			E('strong', {}, [ failed ? _('The settings could not be checked:') : fine ? _('The settings can be used. Worth a look:') : _('Hiên cannot use these settings, and keeps those it has:') ]),
			E('ul', {}, says.map(line => E('li', {}, words.shown(line))))
		]) ]);

		if (says.length && this.said.scrollIntoView)
			this.said.scrollIntoView({ block: 'nearest' });

		return fine;
	},

	/* What would keep Hiên from starting is not applied, unless that is chosen in so many words. */
	handleSaveApply(ev, mode) {
		return this.handleSave(ev).then(() => calls.check().catch(err => err)).then(checked => {
			if (this.tell(checked) || mode == '1')
				ui.changes.apply(mode == '0');
		});
	}
});
