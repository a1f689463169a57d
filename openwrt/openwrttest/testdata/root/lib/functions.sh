# shellcheck shell=ash
# shellcheck disable=SC2034 # names are made by eval
# A stand-in for OpenWrt's functions.sh, with what Hiên's scripts use of it.

# note WORD...: one line of what was done, in the file that the tests read.
note() { /bin/note "$@"; }

# config, option and list are what `uci export` prints.
package() { :; }
config() {
	CONFIG_COUNT=$((CONFIG_COUNT + 1))
	CONFIG_NOW=${2:-cfg$CONFIG_COUNT}
	CONFIG_SECTIONS="$CONFIG_SECTIONS $CONFIG_NOW"
	eval "CONFIG_${CONFIG_NOW}_TYPE=\$1"
}
option() { eval "CONFIG_${CONFIG_NOW}_$1=\$2"; }
list() { eval "CONFIG_${CONFIG_NOW}_$1=\"\${CONFIG_${CONFIG_NOW}_$1:+\${CONFIG_${CONFIG_NOW}_$1} }\$2\""; }

config_load() {
	CONFIG_SECTIONS='' CONFIG_COUNT=0
	eval "$(uci -q export "$1")"
}
config_get() { eval "$1=\${CONFIG_${2}_$3:-\$4}"; }
config_get_bool() {
	config_get "$@"
	case "$(eval "echo \"\$$1\"")" in
	1 | on | true | yes | enabled) eval "$1=1" ;;
	0 | off | false | no | disabled) eval "$1=0" ;;
	*) eval "$1=\$4" ;;
	esac
}
config_foreach() {
	local section kind
	for section in $CONFIG_SECTIONS; do
		eval "kind=\$CONFIG_${section}_TYPE"
		if [ -z "$2" ] || [ "$2" = "$kind" ]; then
			"$1" "$section"
		fi
	done
}

group_exists() { grep -qs "^$1:" /etc/group; }
user_exists() { grep -qs "^$1:" /etc/passwd; }
group_add() {
	note group_add "$@"
	echo "$1:x:$2:" >>/etc/group
}
user_add() {
	note user_add "$@"
	echo "$1:x:$2:$3:$1:/var/run/$1:/bin/false" >>/etc/passwd
}
