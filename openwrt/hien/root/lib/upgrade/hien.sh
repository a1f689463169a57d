# shellcheck shell=ash
# shellcheck disable=SC2034 # sysupgrade_init_conffiles is sysupgrade's
#
# sysupgrade copies the record while it makes its list of kept files, and a
# database that is being written is no copy. So the daemon rests meanwhile: the
# gate stays shut, and guests with a pass stay online.

hien_rests() {
	local waited=0

	[ "$CONF_BACKUP_LIST" != 1 ] || return 0 # only a list is wanted
	[ -x /etc/init.d/hien ] && pidof hien >/dev/null || return 0
	/etc/init.d/hien stop >/dev/null 2>&1
	while [ "$waited" -lt 15 ] && pidof hien >/dev/null; do
		sleep 1
		waited=$((waited + 1))
	done
	# Where sysupgrade ends and the router goes on, the daemon does too: after a
	# mere backup, and after an upgrade that did not come about, as with a full
	# /tmp. One that does kills this with all else.
	(
		while kill -0 "$$" 2>/dev/null; do
			sleep 1
		done
		/etc/init.d/hien start
	) >/dev/null 2>&1 &
	return 0
}

# Before the list is made: files that a stop removes must not be in it.
sysupgrade_init_conffiles="hien_rests $sysupgrade_init_conffiles"
