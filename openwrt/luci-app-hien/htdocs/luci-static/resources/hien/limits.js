'use strict';
'require baseclass';

/*
 * What may stand in the options of the form: the bounds of Hiên's own reader of
 * the file, to which a test holds this table. A garden is looked at more
 * closely when the settings are checked as a whole.
 */
const day = 86400;

const table = {
	store_name: { text: 64 },
	controller_name: { text: 120 },
	controller_address: { text: 200 },
	controller_tax_id: { text: 32 },
	controller_contact: { text: 120 },
	recipient: { list: true, text: 80 },
	operator: { text: 120 },
	transfer: { text: 120 },
	policy: { word: /^(vn-2026|vn-2023|eu-gdpr)$/ },
	mode: { word: /^(frequency|basic)$/ },
	offer: { text: 200 },
	terms: { text: 400 },
	pass: { time: [ 1, 24 * day ], shown: [ '1s', '24d' ] },
	idle: { time: [ 60, day ], shown: [ '1m', '24h' ], never: true },
	volume: { amount: [ 1e6, 1000e9 ], shown: [ '1M', '1000G' ] },
	down: { amount: [ 64e3, 10e9 ], shown: [ '64k', '10G' ] },
	up: { amount: [ 64e3, 10e9 ], shown: [ '64k', '10G' ] },
	all_down: { amount: [ 64e3, 10e9 ], shown: [ '64k', '10G' ] },
	all_up: { amount: [ 64e3, 10e9 ], shown: [ '64k', '10G' ] },
	purpose: { list: true, word: /^(visit_frequency|contact_zalo|contact_sms|ads_audience|profile_extra|share_partner:[a-z0-9_-]{1,32})$/ },
	garden_preset: { list: true, word: /^(ntp|ocsp|zalo|zalo-app)$/ },
	garden: { list: true, place: true },
	trusted: { list: true, device: true },
	blocked: { list: true, device: true }
};

/* Letters that a line for people must not have: controls, breaks, and marks that turn its direction. */
const unseen = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const blank = /^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]*$/;

function seconds(value) {
	const parts = /^(?:([0-9]{1,10})d)?(?:([0-9]{1,10})h)?(?:([0-9]{1,10})m)?(?:([0-9]{1,10})s)?$/.exec(value);

	return parts ? [ day, 3600, 60, 1 ].reduce((sum, unit, i) => sum + (parts[i + 1] > 1e7 ? NaN : unit * (parts[i + 1] || 0)), 0) : NaN;
}

function amount(value) {
	const parts = /^([0-9]{1,10})([kKMG]?)$/.exec(value);

	return parts ? parts[1] * { k: 1e3, K: 1e3, M: 1e6, G: 1e9 }[parts[2]] || +parts[1] : NaN;
}

const within = (n, [ least, most ]) => n >= least && n <= most;

/* allows tells whether a value may stand in an option; true, or what it should be. */
function allows(option, value) {
	const limit = table[option];

	if (value == '')
		return true;

	if (limit.text)
		return [ ...value ].length <= limit.text && !unseen.test(value) && !blank.test(value) ||
			_('Please write at most %d characters, in one line.').format(limit.text);

	if (limit.time)
		return limit.never && value == '0' || within(seconds(value), limit.time) ||
			_('Please give a time such as 90s, 30m, 4h, 1h30m or 7d, from %s to %s.').format(...limit.shown);

	if (limit.amount)
		return within(amount(value), limit.amount) ||
			_('Please give a number such as 512k, 4M or 2G, from %s to %s.').format(...limit.shown);

	if (limit.device)
		return /^([0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(\2[0-9a-fA-F]{2}){4}|([0-9a-fA-F]{4}\.){2}[0-9a-fA-F]{4}|[0-9a-fA-F]{12})$/.test(value) &&
			!(parseInt(value[1], 16) & 1) && /[1-9a-fA-F]/.test(value) ||
			_('Please give the hardware address of one device, such as 02:00:5e:10:00:01.');

	if (limit.place)
		return /^[a-z0-9_-]+(\.[a-z0-9_-]+)+$/.test(value) || /^([0-9.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(\/[0-9]{1,3})?$/.test(value) ||
			_('Please give a name such as example.com, an address or a network.');

	return limit.word.test(value) || _('This is not one of the choices.');
}

return baseclass.extend({ table: table, allows: allows });
