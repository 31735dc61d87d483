package filecaps

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// names are the capabilities of Linux 5.9, by their numbers. The list stays as it is:
// later capabilities are written as numbers, which every updater can read.
var names = []string{
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
}

const (
	prefix = "cap_"
	// most is how many capabilities a file can have.
	most = 64
)

// String is the text of s, as Parse takes it: at most three groups with a blank
// between them, each of names in the order of their numbers, "=", and what of "eip"
// they are. It is empty for none.
func (s Set) String() string {
	e := ""
	if s.Effective {
		e = "e"
	}
	both := s.Permitted & s.Inheritable
	var groups []string
	for _, g := range []struct {
		bits  uint64
		flags string
	}{{s.Permitted &^ both, "p"}, {s.Inheritable &^ both, "i"}, {both, "ip"}} {
		if g.bits != 0 {
			groups = append(groups, strings.Join(list(g.bits), ",")+"="+e+g.flags)
		}
	}
	return strings.Join(groups, " ")
}

func list(bits uint64) (all []string) {
	for n := range most {
		if bits>>n&1 == 0 {
			continue
		}
		if n < len(names) {
			all = append(all, prefix+names[n])
		} else {
			all = append(all, strconv.Itoa(n))
		}
	}
	return all
}

// Parse reads a text that String has written. No other text has a meaning, so that
// two readers of a signed one cannot understand different things.
func Parse(text string) (Set, error) {
	if len(text) > maxText {
		return Set{}, errors.New("capabilities: more text than all of them have")
	}
	var s Set
	for group := range strings.SplitSeq(text, " ") {
		list, flags, _ := strings.Cut(group, "=")
		rest, effective := strings.CutPrefix(flags, "e")
		s.Effective = effective
		for word := range strings.SplitSeq(list, ",") {
			n, err := number(word)
			if err != nil {
				return Set{}, fmt.Errorf("capabilities %.80q: %w", text, err)
			}
			if strings.Contains(rest, "p") {
				s.Permitted |= 1 << n
			}
			if strings.Contains(rest, "i") {
				s.Inheritable |= 1 << n
			}
		}
	}
	if s.None() || s.String() != text {
		return Set{}, fmt.Errorf("capabilities %.80q: not written as getcap does, like cap_net_admin,cap_net_raw=ep", text)
	}
	return s, nil
}

func number(word string) (int, error) {
	if name, ok := strings.CutPrefix(word, prefix); ok {
		if n := slices.Index(names, name); n >= 0 {
			return n, nil
		}
	} else if n, err := strconv.ParseUint(word, 10, 8); err == nil && n < most {
		return int(n), nil
	}
	return 0, fmt.Errorf("%.40q is not a capability", word)
}

// MarshalText implements encoding.TextMarshaler.
func (s Set) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler; see Parse.
func (s *Set) UnmarshalText(text []byte) (err error) {
	*s, err = Parse(string(text))
	return err
}

// maxText is more than the text of all capabilities.
const maxText = 2048
