# shellcheck shell=ash
# A stand-in for procd that runs the one service: it starts it, starts it
# again when it has crashed, sends it the signal when a file has changed, and
# stops it. Of user, jail and limits it knows nothing.
procd_open_service() { instance=; }
procd_open_instance() { instance=1 command='' file=''; }
procd_close_instance() { :; }
procd_set_param() {
	local what="$1"
	shift
	case "$what" in
	command) command="$*" ;;
	file) file="$*" ;;
	esac
}
procd_append_param() { :; }
procd_add_jail() { :; }
procd_add_reload_trigger() { :; }
procd_add_reload_interface_trigger() { :; }

procd_close_service() {
	service_triggers
	if [ -z "$instance" ]; then
		procd_kill
	elif procd_running hien; then
		md5sum -c /tmp/procd.file >/dev/null 2>&1 || kill -HUP "$(cat /tmp/procd.pid)"
		md5sum "$file" >/tmp/procd.file
	else
		md5sum "$file" >/tmp/procd.file
		: >/tmp/procd.wanted
		# shellcheck disable=SC2086 # words
		setsid /bin/respawn $command </dev/null >>/tmp/log 2>&1 &
	fi
}
procd_running() { [ -e /tmp/procd.wanted ] && kill -0 "$(cat /tmp/procd.pid 2>/dev/null)" 2>/dev/null; }
procd_kill() {
	rm -f /tmp/procd.wanted
	if [ -e /tmp/procd.pid ]; then
		kill -TERM "$(cat /tmp/procd.pid)" 2>/dev/null
		while kill -0 "$(cat /tmp/procd.pid)" 2>/dev/null; do
			sleep 0.1
		done
	fi
}
