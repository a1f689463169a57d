'use strict';
'require baseclass';

/*
 * What Hiên says itself, word for word, so that it can be said in the language
 * of the page. %s stands for a name, a number or a cause. What is not here is
 * shown as it came. Of two sentences that fit, the first is taken.
 */
const sentences = (_ => [
	/* how the gateway is */
	_('All is well.'),
	_('Guests have not been stopped since `hien cleanup` took the rules out: SIGHUP, or a restart, shuts the door again.'),
	_('The rules of the firewall are not as they should be: %s.'),
	_('Zone %s has no portal, as it waits for interface %s.'),
	_('Zone %s has no portal: %s.'),
	_('The shop has no internet.'),
	_('Nothing is asked, and guests come in all the same, because the record is closed: safe mode, %s.'),
	_('Nothing is asked, and guests come in all the same, because the record is closed: %s.'),
	_('The record cannot be read: %s.'),
	_('The access log cannot be written: %s.'),
	_('Nothing is asked, and guests come in all the same: the notice of policy %s is not complete.'),
	_('Nothing is asked, and guests come in all the same: %s.'),
	_('Nothing has been delivered to %s since %s; %s events wait and are tried again: %s.'),
	_('Nothing is delivered to %s; %s events wait and are tried again: %s.'),
	_('Nothing has been delivered to %s since %s; %s events wait: %s.'),
	_('Nothing is delivered to %s; %s events wait: %s.'),
	_('%s refused %s events for good.'),
	_('%s requests of people are late.'),
	_('%s requests of people are soon due.'),

	/* what is wrong with the settings */
	_('nothing is asked, and guests come in all the same: the notice of policy %s is not complete: write option controller_name with %s'),
	_('nothing is asked, and guests come in all the same: the notice of policy %s is not complete: write option controller_address with %s'),
	_('nothing is asked, and guests come in all the same: the notice of policy %s is not complete: write option controller_tax_id with %s'),
	_('nothing is asked, and guests come in all the same: the notice of policy %s is not complete: write option controller_contact with %s'),
	_('nothing is asked, and guests come in all the same: the notice of policy %s is not complete: write list recipient with %s'),
	_('nothing is asked, and guests come in all the same: the notice of policy %s is not complete: write option carrier of the sender of type webhook with %s'),
	_('nothing is asked in zone %s, and guests come in all the same: there is no config sender, without which no code goes out; with `option type \'staff\'` the shop\'s till shows one'),
	_('no purpose of zone %s is asked for, as children \'1\' says that its guests are children: want no list purpose there, or children \'0\''),
	_('nothing is asked, and guests come in all the same: %s: mend it, or take option policy_file out'),
	_('purpose visit_frequency is a history of a person\'s visits, and option mode \'basic\' keeps none: want another purpose, or option mode \'frequency\' in config hien \'main\''),
	_('purpose %s must reach the person and there is no seal_key: %s'),
	_('there is no brand key at %s, and a number is asked: %s'),
	_('blocked %s is trusted as well, in line %s: want one of the two'),
	_('%s of %s for each guest is more than all_%s grants all of them together (%s): it limits nobody'),
	_('all_down of %s: all guests of zone %s together get less than one of them needs to open a page; want %s or more'),
	_('a guest who has used up its volume of %s does not come in again before its pass would have ended, here up to %s later: want a pass of at most 24h'),
	_('zone %s asks for numbers and the sender only writes codes into the log: for trials only'),
	_('a pass of %s: for trials only'),

	/* why something was not done */
	_('Hiên is not running (%s'),
	_('Hiên is not running. This router has %s MiB of memory and Hiên needs %s: it would run out of it and take the shop\'s network along. Put Hiên on a router with 128 MB or more; this one can stay as an access point.'),
	_('it has no pass'),
	_('the device is blocked'),
	_('it would be let in again at once'),
	_('the door is not open to everybody'),
	_('%s is trusted in zone %s: %s'),
	_('%s is blocked in zone %s: %s'),
	_('This device is no longer here: look again.'),

	/* how a zone is */
	_('open for guests'), _('waiting for interface')
])(s => s).map(s => [ s, new RegExp('^' + s.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/%s/g, '(.+?)') + '$') ]);

/* What to do about it: it stands alone, or behind the sentence. */
const deeds = (_ => [
	_('Hiên tries every few seconds to mend that. If it stays, look into the log.'),
	_('If that is not to come, correct `option interface` in the configuration.'),
	_('Guests come in all the same and are told so; look after the line.'),
	_('Mend that and restart Hiên.'),
	_('Write option controller_name with the name of the company or person who decides about the data, as in \'Công ty TNHH Hiên Mẫu\'.'),
	_('Write option controller_address with its postal address, as in \'1 Đường Mẫu, Quận 1, TP. Hồ Chí Minh\'.'),
	_('Write option controller_tax_id with its tax id, as in \'0000000001\'.'),
	_('Write option controller_contact with how to reach whoever answers for personal data, as in \'dpo@shop.example\'.'),
	_('Write list recipient with the name of who receives the data by the sink, as in \'Nền tảng CDP Mẫu\'.'),
	_('Write option carrier of the sender of type webhook with the name of who runs the service that sends the codes, as in \'Công ty Nhắn tin Mẫu\'.'),
	_('Mend it, or take option policy_file out.'),
	_('Then run `hien reload`.'),
	_('Guests come in all the same. If it stays, look after the disk and restart Hiên.'),
	_('Mend that and send Hiên SIGHUP.'),
	_('Guests come in all the same, and are not written down.'),
	_('`hien queue` shows why.'),
	_('`hien person requests` lists them: answer those first, the law counts the days.'),
	_('`hien person requests` lists them.')
])(s => s);

function say(text) {
	const warning = text.startsWith('warning: ');

	if (warning)
		text = text.slice(9);

	for (const deed of deeds) {
		if (text == deed)
			return _(deed);

		if (text.endsWith(' ' + deed))
			return say(text.slice(0, -deed.length - 1)) + ' ' + _(deed);
	}

	/* one is spoken of like several */
	const many = text.replace('; 1 event waits and is ', '; 1 events wait and are ')
		.replace('; 1 event waits', '; 1 events wait').replace(' refused 1 event ', ' refused 1 events ')
		.replace(/^1 request of a person is /, '1 requests of people are ');

	for (const [ sentence, shape ] of sentences) {
		const found = shape.exec(many);

		if (found && _(sentence) != sentence)
			return _(sentence).format(...found.slice(1));
	}

	return text;
}

return baseclass.extend({
	say: say,

	/* shown is a sentence for the page, with what stands between `…` as code. */
	shown: text => say(text).split('`').map((part, i) => i % 2 ? E('code', {}, [ part ]) : part),

	/* language is the page's, as a browser names it. */
	language: () => document.documentElement.lang == 'vi' ? 'vi' : 'en',

	/* moment is a time of day, with its date when that is not today. */
	moment(when) {
		const at = new Date(when),
		    today = new Date().toDateString() == at.toDateString(),
		    form = { hour: '2-digit', minute: '2-digit', hour12: false };

		if (!today)
			Object.assign(form, { day: '2-digit', month: '2-digit', year: 'numeric' });

		return at.toLocaleString(this.language() == 'vi' ? 'vi-VN' : 'en-GB', form);
	},

	/* span is a length of time in its two largest units. */
	span(seconds) {
		const units = [ [ 86400, _('%d d') ], [ 3600, _('%d h') ], [ 60, _('%d min') ], [ 1, _('%d s') ] ],
		    first = units.findIndex(unit => seconds >= unit[0]);

		if (first < 0)
			return _('%d s').format(0);

		return units.slice(first, first < 2 ? first + 2 : first + 1).map(unit => {
			const n = Math.floor(seconds / unit[0]);
			seconds -= n * unit[0];
			return n ? unit[1].format(n) : '';
		}).join(' ').trim();
	},

	number(n) {
		return Number(n).toLocaleString(this.language() == 'vi' ? 'vi-VN' : 'en-GB');
	}
});
