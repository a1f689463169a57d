'use strict';

/*
 * A small stand-in for LuCI's browser side, for tests: those of its interfaces
 * that Hiên's pages use, behaving as LuCI's published ones do where a page can
 * tell the difference. What a page asks of anything else is missing here and
 * fails. Nothing of it is LuCI's code.
 */
(() => {
	/* printf as LuCI has it on strings; %s, %d and %h are used */
	Object.defineProperty(String.prototype, 'format', { value(...args) {
		return String(this).replace(/%([sdh%])/g, (all, kind) => {
			if (kind == '%')
				return '%';

			const arg = args.shift();

			if (kind == 'd')
				return String(Math.trunc(Number(arg)) || 0);

			return kind == 'h' ? String(arg).replace(/[&<>"']/g, c => '&#%d;'.format(c.charCodeAt(0))) : String(arg);
		});
	} });

	/* the hash by which translations are found (SuperFastHash over UTF-8) */
	function sfh(text) {
		const bytes = new TextEncoder().encode(text), u16 = i => bytes[i] | bytes[i + 1] << 8, signed = i => bytes[i] << 24 >> 24;
		let hash = bytes.length, i = 0;

		for (let n = bytes.length >>> 2; n > 0; n--, i += 4) {
			hash = (hash + u16(i)) >>> 0;
			hash = (hash << 16 ^ (u16(i + 2) << 11 ^ hash)) >>> 0;
			hash = (hash + (hash >>> 11)) >>> 0;
		}

		switch (bytes.length & 3) {
		case 3:
			hash = (hash + u16(i)) >>> 0;
			hash = (hash ^ hash << 16 ^ signed(i + 2) << 18) >>> 0;
			hash = (hash + (hash >>> 11)) >>> 0;
			break;
		case 2:
			hash = (hash + u16(i)) >>> 0;
			hash = (hash ^ hash << 11) >>> 0;
			hash = (hash + (hash >>> 17)) >>> 0;
			break;
		case 1:
			hash = (hash + signed(i)) >>> 0;
			hash = (hash ^ hash << 10) >>> 0;
			hash = (hash + (hash >>> 1)) >>> 0;
		}

		hash = (hash ^ hash << 3) >>> 0;
		hash = (hash + (hash >>> 5)) >>> 0;
		hash = (hash ^ hash << 4) >>> 0;
		hash = (hash + (hash >>> 17)) >>> 0;
		hash = (hash ^ hash << 25) >>> 0;
		hash = (hash + (hash >>> 6)) >>> 0;

		return hash.toString(16).padStart(8, '0');
	}

	window._ = text => (window.TR || {})[sfh(text.replace(/[ \t\n]+/g, ' ').trim())] || text;

	/* A lone string as child is HTML, as in LuCI: what is a stranger's must stand in an array. */
	const dom = {
		elem: e => e != null && typeof(e) == 'object' && 'nodeType' in e,
		append(node, children) {
			if (Array.isArray(children))
				children.forEach(c => node.appendChild(dom.elem(c) ? c : document.createTextNode(c == null ? '' : String(c))));
			else if (dom.elem(children))
				node.appendChild(children);
			else if (children != null)
				node.innerHTML = String(children);

			return node.lastChild;
		},
		content(node, children) {
			node.replaceChildren();

			return dom.append(node, children);
		}
	};

	window.E = (tag, ...rest) => {
		const node = Array.isArray(tag) ? document.createDocumentFragment() : document.createElement(tag),
		    attrs = rest[0] != null && typeof(rest[0]) == 'object' && !Array.isArray(rest[0]) && !dom.elem(rest[0]) ? rest.shift() : {};

		if (Array.isArray(tag))
			rest = [ tag ];

		for (const [ name, value ] of Object.entries(attrs)) {
			if (value == null)
				continue;

			typeof(value) == 'function' ? node.addEventListener(name, value) : node.setAttribute(name, value);
		}

		dom.append(node, rest[0]);

		return node;
	};

	class baseclass {
		static extend(properties) {
			const made = class extends this {};

			for (const name of Object.keys(properties))
				Object.defineProperty(made.prototype, name, { value: properties[name], writable: true });

			return made;
		}
	}

	/* ---- rpc: JSON-RPC as uhttpd speaks it ---- */

	let calls = 0;
	window.declared = [];

	const rpc = {
		declare(options) {
			declared.push('%s.%s'.format(options.object, options.method));

			return (...args) => {
				const params = {};

				(options.params || []).forEach((name, i) => params[name] = args[i]);
				calls++;

				return fetch('/ubus', { method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: calls, method: 'call',
					params: [ L.env.sessionid, options.object, options.method, params ] }) }).then(r => r.json()).then(reply => {
					if (reply.error)
						throw new Error('RPC call to %s/%s failed with error %d: %s'.format(options.object, options.method, reply.error.code, reply.error.message));

					if (options.reject && reply.result[0] !== 0)
						throw new Error('RPC call to %s/%s failed with ubus code %d'.format(options.object, options.method, reply.result[0]));

					let value = reply.result.length > 1 ? reply.result[1] : reply.result[0];

					for (const key in options.expect || {}) {
						if (value != null && key != '')
							value = value[key];

						if (Object.prototype.toString.call(value) != Object.prototype.toString.call(options.expect[key]))
							value = options.expect[key];
					}

					return value;
				}).finally(() => window.settled = Date.now());
			};
		}
	};

	/* ---- uci ---- */

	const uci = {
		values: {}, changed: {}, gone: {},
		get_: rpc.declare({ object: 'uci', method: 'get', params: [ 'config' ], expect: { values: {} } }),
		set_: rpc.declare({ object: 'uci', method: 'set', params: [ 'config', 'section', 'values' ] }),
		delete_: rpc.declare({ object: 'uci', method: 'delete', params: [ 'config', 'section', 'options' ] }),
		load(config) {
			return uci.values[config] ? Promise.resolve([]) : uci.get_(config).then(values => { uci.values[config] = values; return [ config ] });
		},
		sections: (config, type) => Object.values(uci.values[config] || {}).filter(s => !type || s['.type'] == type).sort((a, b) => a['.index'] - b['.index']),
		get(config, id, option) {
			if (option == null)
				return (uci.values[config] || {})[id];

			if ((uci.gone[id] || []).includes(option))
				return undefined;

			return (uci.changed[id] || {})[option] != null ? uci.changed[id][option] : ((uci.values[config] || {})[id] || {})[option];
		},
		set(config, id, option, value) {
			if (value != null && value !== '') {
				(uci.changed[id] = uci.changed[id] || {})[option] = value;
				uci.gone[id] = (uci.gone[id] || []).filter(o => o != option);
			}
			else if (option in uci.values[config][id]) {
				(uci.gone[id] = uci.gone[id] || []).push(option);
			}
		},
		unset: (config, id, option) => uci.set(config, id, option, null),
		save() {
			const tasks = [];

			for (const [ id, values ] of Object.entries(uci.changed))
				tasks.push(uci.set_('hien', id, values));

			for (const [ id, options ] of Object.entries(uci.gone))
				if (options.length)
					tasks.push(uci.delete_('hien', id, options));

			uci.values = {};
			uci.changed = {};
			uci.gone = {};

			return Promise.all(tasks).then(() => uci.load('hien'));
		}
	};

	/* ---- ui ---- */

	const overlay = E('div', { id: 'modal_overlay' }, E('div', { 'class': 'modal', role: 'dialog', 'aria-modal': true }));

	const ui = {
		showModal(title, children) {
			dom.content(overlay.firstChild, E('h4', {}, title));
			dom.append(overlay.firstChild, children);
			document.body.classList.add('modal-overlay-active');
		},
		hideModal: () => document.body.classList.remove('modal-overlay-active'),
		addNotification(title, children, ...classes) {
			const said = E('div', { 'class': [ 'alert-message', ...classes ].join(' ') });

			if (title != null)
				dom.append(said, E('h4', {}, title));

			dom.append(said, children);
			document.querySelector('#maincontent').prepend(said);
		},
		createHandlerFn(self, fn, ...args) {
			if (typeof(fn) == 'string')
				fn = self[fn];

			return ev => {
				const target = ev.currentTarget;

				target.classList.add('spinning');
				target.disabled = true;
				target.blur();
				Promise.resolve(fn.call(self, ...args, ev)).finally(() => {
					target.classList.remove('spinning');
					target.disabled = false;
				});
			};
		},
		changes: {
			apply: checked => rpc.declare({ object: 'uci', method: 'apply', params: [ 'rollback' ] })(checked).then(() => window.applied = checked)
		}
	};

	/* ---- form ---- */

	class Value {
		constructor(map, section, option, title, description) {
			Object.assign(this, { map, section, option, title, description, rmempty: true, validate: () => true, choices: [], cfg: {}, nodes: {} });
		}
		value(key, title) { this.choices.push([ key, title == null ? key : title ]); }
		load(id) { return uci.get('hien', id, this.option); }
		write(id, value) { uci.set('hien', id, this.option, value); }
		remove(id) { uci.unset('hien', id, this.option); }
		input(id) { return E('input', { id: this.widget(id), type: 'text', placeholder: this.placeholder, disabled: this.map.readonly || null, value: this.cfg[id] }); }
		widget(id) { return 'widget.cbid.hien.%s.%s'.format(id, this.option); }
		formvalue(id) { return this.nodes[id].querySelector('input,textarea').value; }
		check(id) {
			const field = this.nodes[id].querySelector('input[type=text],textarea'), said = field ? this.validate(id, field.value) : true;

			if (field) {
				field.classList.toggle('cbi-input-invalid', said !== true);
				said === true ? field.removeAttribute('data-tooltip') : field.setAttribute('data-tooltip', said);
			}

			return said;
		}
		render(id) {
			this.cfg[id] = this.load(id);

			const node = this.nodes[id] = E('div', {}, [ this.input(id) ]);

			node.addEventListener('keyup', () => this.check(id));
			node.addEventListener('focusout', () => this.check(id));

			return E('div', { 'class': 'cbi-value', 'data-name': this.option, id: 'cbi-hien-%s-%s'.format(id, this.option) }, [
				E('label', { 'class': 'cbi-value-title', 'for': this.widget(id) }, this.title),
				E('div', { 'class': 'cbi-value-field' }, [ node, this.description ? E('div', { 'class': 'cbi-value-description' }, this.description) : '' ])
			]);
		}
		parse(id) {
			const said = this.check(id);

			if (said !== true)
				throw new TypeError(_('Option "%s" contains an invalid input value.').format(this.title) + ' ' + said);

			const was = this.cfg[id], now = this.formvalue(id);

			if (now == null || now == '')
				this.remove(id);
			else if (JSON.stringify(was) != JSON.stringify(now))
				this.write(id, now);
		}
	}

	class TextValue extends Value {
		input(id) { return E('textarea', { id: this.widget(id), rows: this.rows, style: 'width:100%', disabled: this.map.readonly || null }, [ this.cfg[id] ]); }
	}

	class DynamicList extends Value {
		item(value) {
			const item = E('div', { 'class': 'item', tabindex: 0 }, [ E('span', {}, [ value ]), E('input', { type: 'hidden', value: value }) ]);

			item.addEventListener('click', () => item.remove());

			return item;
		}
		input(id) {
			const field = E('input', { id: this.widget(id), type: 'text', 'class': 'cbi-input-text', placeholder: this.placeholder, disabled: this.map.readonly || null }),
			    list = E('div', { 'class': 'cbi-dynlist' }, L.toArray(this.cfg[id]).map(v => this.item(v)).concat([
				E('div', { 'class': 'add-item' }, [ field, E('div', { 'class': 'btn cbi-button cbi-button-add' }, '+') ]) ]));

			list.querySelector('.cbi-button-add').addEventListener('click', () => {
				if (field.value.length && !field.classList.contains('cbi-input-invalid')) {
					list.insertBefore(this.item(field.value), list.lastChild);
					field.value = '';
				}
			});

			return list;
		}
		formvalue(id) {
			const values = [ ...this.nodes[id].querySelectorAll('.item > input') ].map(i => i.value), field = this.nodes[id].querySelector('.add-item > input');

			if (/\S/.test(field.value) && !field.classList.contains('cbi-input-invalid') && !values.includes(field.value))
				values.push(field.value);

			return values;
		}
	}

	class ListValue extends Value {
		input(id) {
			return E('select', { id: this.widget(id), disabled: this.map.readonly || null }, this.choices.map(([ key, title ]) =>
				E('option', { value: key, selected: key == this.cfg[id] ? '' : null }, [ title ])));
		}
		formvalue(id) { return this.nodes[id].querySelector('select').value; }
	}

	/* LuCI has a drop-down here. Like it, this one forgets values that are no choice. */
	class MultiValue extends Value {
		input(id) {
			const values = L.toArray(this.cfg[id]);

			return E('div', { 'class': 'cbi-dropdown', id: this.widget(id) }, this.choices.map(([ key, title ]) => E('label', {}, [
				E('input', { type: 'checkbox', value: key, checked: values.includes(key) ? '' : null, disabled: this.map.readonly || null }), ' ', title ])));
		}
		formvalue(id) { return [ ...this.nodes[id].querySelectorAll('input:checked') ].map(i => i.value); }
	}

	class Section {
		constructor(map, ...args) { Object.assign(this, { map, options: [] }); this.take(...args); }
		option(kind, ...args) {
			const o = new kind(this.map, this, ...args);

			this.options.push(o);

			return o;
		}
		render() {
			return E('div', { 'class': 'cbi-section' }, [ this.title ? E('h3', {}, this.title) : '', this.description ? E('div', { 'class': 'cbi-section-descr' }, this.description) : '' ].concat(...this.ids().map(id => [
				this.named && !this.anonymous ? E('h3', {}, id.toUpperCase()) : '',
				E('div', { 'class': 'cbi-section-node', 'data-section-id': id }, this.options.map(o => o.render(id))) ])));
		}
		parse() { this.ids().forEach(id => this.options.forEach(o => o.parse(id))); }
	}

	class NamedSection extends Section {
		take(id, type, title, description) { Object.assign(this, { id, type, title, description }); }
		ids() { return uci.get('hien', this.id) ? [ this.id ] : []; }
	}

	class TypedSection extends Section {
		take(type, title, description) { Object.assign(this, { type, title, description, named: true }); }
		ids() { return uci.sections('hien', this.type).map(s => s['.name']); }
	}

	const forms = new Map();

	class FormMap {
		constructor(config, title, description) { Object.assign(this, { config, title, description, sections: [] }); }
		section(kind, ...args) {
			const s = new kind(this, ...args);

			this.sections.push(s);

			return s;
		}
		render() {
			return Promise.all([
				rpc.declare({ object: 'session', method: 'access', params: [ 'scope', 'object', 'function' ], expect: { access: false } })('uci', this.config, 'write'),
				uci.load(this.config)
			]).then(([ may ]) => {
				this.readonly = !may;
				this.root = E('div', { 'class': 'cbi-map' });
				forms.set(this.root, this);
				this.draw();

				return this.root;
			});
		}
		draw() {
			dom.content(this.root, [ E('h2', {}, this.title), E('div', { 'class': 'cbi-map-descr' }, this.description) ].concat(this.sections.map(s => s.render())));
		}
		save() {
			return Promise.resolve().then(() => this.sections.forEach(s => s.parse())).then(() => uci.save()).then(() => this.draw()).catch(err => {
				ui.showModal(_('Save error'), [ E('p', {}, [ err.message ]), E('div', { 'class': 'right' }, [ E('button', { 'class': 'btn', click: ui.hideModal }, [ _('Dismiss') ]) ]) ]);
				throw err;
			});
		}
	}

	/* Like LuCI's, it writes whenever it is not at its default. */
	class Flag extends Value {
		input(id) { return E('input', { id: this.widget(id), type: 'checkbox', checked: (this.cfg[id] ?? this.default) == '1' ? '' : null, disabled: this.map.readonly || null }); }
		formvalue(id) { return this.nodes[id].querySelector('input').checked ? '1' : '0'; }
		parse(id) { this.formvalue(id) == this.default ? this.remove(id) : this.write(id, this.formvalue(id)); }
	}

	const form = { Map: FormMap, Flag, NamedSection, TypedSection, Value, TextValue, ListValue, DynamicList, MultiValue };

	/* ---- poll: a test says when ---- */

	const polled = [];

	const poll = { add: fn => polled.push(fn) };
	window.pollNow = () => Promise.all(polled.map(fn => fn())).then(() => true);

	/* ---- view ---- */

	class view extends baseclass {
		constructor() {
			super();
			this.ready = Promise.resolve(this.load()).then(loaded => this.render(loaded)).then(node => {
				const vp = document.getElementById('view');

				dom.content(vp, node);

				const map = forms.get(vp.querySelector('.cbi-map')), no = (map ? map.readonly : !L.hasViewPermission()) || null;

				if (this.handleSave || this.handleSaveApply || this.handleReset)
					dom.append(vp, E('div', { 'class': 'cbi-page-actions' }, [
						E('button', { 'class': 'btn cbi-button cbi-button-apply important', disabled: no, click: ui.createHandlerFn(this, ev => this.handleSaveApply(ev, '0').catch(() => {})) }, [ _('Save & Apply') ]), ' ',
						E('button', { 'class': 'btn cbi-button cbi-button-negative unchecked', disabled: no, click: ui.createHandlerFn(this, ev => this.handleSaveApply(ev, '1').catch(() => {})) }, [ _('Apply unchecked') ]), ' ',
						E('button', { 'class': 'btn cbi-button cbi-button-save', disabled: no, click: ui.createHandlerFn(this, ev => this.handleSave(ev).catch(() => {})) }, [ _('Save') ])
					]));
			}).catch(err => {
				dom.content(document.getElementById('view'), [ E('pre', { 'class': 'alert-message error broken' }, [ err.stack ]) ]);
			}).then(() => window.rendered = true);
		}
		load() {}
		render() {}
		handleSave() { return Promise.all([ ...document.querySelectorAll('.cbi-map') ].map(node => forms.get(node).save())); }
		handleSaveApply(ev, mode) { return this.handleSave(ev).then(() => ui.changes.apply(mode == '0')); }
		handleReset() {}
	}

	/* ---- L ---- */

	const classes = { baseclass, dom, form, poll, rpc, uci, ui, view };

	window.L = {
		env: window.setenv,
		hasViewPermission: () => !setenv.readonly,
		toArray: v => v == null ? [] : Array.isArray(v) ? v : String(v).trim() == '' ? [] : String(v).trim().split(/\s+/),
		require(name) {
			if (!classes[name])
				classes[name] = fetch('/luci-static/resources/%s.js'.format(name.replace(/\./g, '/'))).then(r => {
					if (!r.ok)
						throw new Error('there is no class ' + name);

					return r.text();
				}).then(source => {
					const needs = [ ...source.matchAll(/'require (\S+?)(?: as (\S+))?';/g) ].map(m => [ m[1], m[2] || m[1].replace(/\W/g, '_') ]);

					return Promise.all(needs.map(n => L.require(n[0]))).then(made => {
						const factory = (0, eval)('(function(window, document, L' + needs.map(n => ', ' + n[1]).join('') + ') {' + source + '\n})\n//# sourceURL=' + name + '.js');
						const one = factory(window, document, L, ...made);

						if (!(one.prototype instanceof baseclass))
							throw new TypeError(name + ' is no class');

						return classes[name] = new one();
					});
				});

			return Promise.resolve(classes[name]);
		}
	};

	document.addEventListener('DOMContentLoaded', () => {
		document.body.append(overlay);

		if (setenv.view)
			L.require('view.hien.' + setenv.view).catch(err => {
				dom.content(document.getElementById('view'), [ E('pre', { 'class': 'alert-message error broken' }, [ err.stack ]) ]);
				window.rendered = true;
			});
	});
})();
