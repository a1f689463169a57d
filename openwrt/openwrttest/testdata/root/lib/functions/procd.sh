# shellcheck shell=ash
# A stand-in for procd.sh: it writes down what is asked of procd. Like that
# one it asks for the triggers as the service is closed.
procd_note() { note procd "$@"; }

procd_open_service() { procd_note open_service "$@"; }
procd_close_service() {
	service_triggers
	procd_note close_service "$@"
}
procd_open_instance() { procd_note open_instance "$@"; }
procd_close_instance() { procd_note close_instance; }
procd_set_param() { procd_note set_param "$@"; }
procd_append_param() { procd_note append_param "$@"; }
procd_add_jail() { procd_note add_jail "$@"; }
procd_add_reload_trigger() { procd_note add_reload_trigger "$@"; }
procd_add_reload_interface_trigger() { procd_note add_reload_interface_trigger "$@"; }
procd_kill() { procd_note kill "$@"; }
procd_running() { [ -e "/tmp/running.$1" ]; }
