'use strict';
'require baseclass';
'require rpc';

/*
 * Everything that the pages ask of the router beside LuCI's own forms: the
 * methods of /usr/libexec/rpcd/hien. What fails is an Error whose message has
 * one line for each thing that is wrong.
 */
function method(name, ...params) {
	const call = rpc.declare({ object: 'hien', method: name, params: params, expect: { '': {} }, reject: true });

	return (...values) => call(...values).then(answer => {
		if (answer.error)
			throw new Error(answer.error.join('\n'));

		return answer;
	});
}

return baseclass.extend({
	/* reading */
	status: method('status'),
	numbers: method('numbers'),
	guests: method('guests'),
	findings: method('findings'),
	check: method('check'),
	tillcode: method('tillcode'),

	/* doing */
	examine: method('examine', 'lang'),
	open: method('open', 'hours'),
	shut: method('shut'),
	admit: method('admit', 'zone', 'addr', 'mac'),
	revoke: method('revoke', 'zone', 'addr', 'mac'),
	block: method('block', 'zone', 'addr', 'mac'),
	unblock: method('unblock', 'zone', 'addr', 'mac'),
	trust: method('trust', 'zone', 'addr', 'mac'),
	untrust: method('untrust', 'zone', 'addr', 'mac')
});
