package service

import (
	"fmt"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Ended tells in words how a service's main process ended last, or why the
// manager gave the service up.
func (s Status) Ended() string {
	switch s.Result {
	case "signal":
		return "killed by " + signalName(s.ExitStatus)
	case "core-dump":
		return "crashed by " + signalName(s.ExitStatus)
	case "oom-kill":
		return "killed for want of memory (oom-kill)"
	case "timeout":
		return "it did not start or stop in time (timeout)"
	case "watchdog":
		return "it gave no sign of life in time (watchdog)"
	case "protocol":
		return "it did not start as its Type= says (protocol)"
	case "resources":
		return "systemd lacks what it needs to start it (resources)"
	case "exec-condition":
		return "its ExecCondition= kept it from starting"
	case "start-limit-hit":
		return "it was started too often (start-limit-hit), at last: " + ExitWords(s.ExitStatus)
	case "exit-code":
		if s.ExitStatus == 0 {
			return "a command of its start or stop failed (exit-code)"
		}
	case "", "success":
	default:
		return s.Result + ", " + ExitWords(s.ExitStatus)
	}
	return ExitWords(s.ExitStatus)
}

func signalName(status int) string {
	if status > 128 {
		if name := unix.SignalName(syscall.Signal(status - 128)); name != "" {
			return name
		}
	}
	return "a signal"
}

// ExitWords is an exit status, with the name and the meaning that systemd gives to
// it: "exit status 203/EXEC (its program cannot be executed)".
func ExitWords(status int) string {
	text := "exit status " + strconv.Itoa(status)
	known, ok := exits()[status]
	switch {
	case !ok:
		return text
	case known.means == "":
		return text + "/" + known.name
	}
	return fmt.Sprintf("%s/%s (%s)", text, known.name, known.means)
}

type exit struct{ name, means string }

// exits are the statuses with which systemd itself ends a service's process, before
// or instead of its program: "Process Exit Codes" in systemd.exec(5). A program that
// ends with one of them is rare.
func exits() map[int]exit {
	return map[int]exit{
		200: {"CHDIR", "its WorkingDirectory= cannot be entered"},
		201: {"NICE", ""},
		202: {"FDS", ""},
		203: {"EXEC", "its program cannot be executed"},
		204: {"MEMORY", "there is not enough memory"},
		205: {"LIMITS", "its limits cannot be set"},
		206: {"OOM_ADJUST", ""},
		207: {"SIGNAL_MASK", ""},
		208: {"STDIN", "its standard input cannot be opened"},
		209: {"STDOUT", "its standard output cannot be opened"},
		210: {"CHROOT", "its RootDirectory= cannot be entered"},
		211: {"IOPRIO", ""},
		212: {"TIMERSLACK", ""},
		213: {"SECUREBITS", ""},
		214: {"SETSCHEDULER", ""},
		215: {"CPUAFFINITY", ""},
		216: {"GROUP", "its Group= cannot be used"},
		217: {"USER", "its User= cannot be used"},
		218: {"CAPABILITIES", "its capabilities cannot be set"},
		219: {"CGROUP", "its control group cannot be set up"},
		220: {"SETSID", ""},
		221: {"CONFIRM", ""},
		222: {"STDERR", "its standard error cannot be opened"},
		224: {"PAM", "its PAM session cannot be opened"},
		225: {"NETWORK", "its network namespace cannot be set up"},
		226: {"NAMESPACE", "its view of the file system cannot be set up"},
		227: {"NO_NEW_PRIVILEGES", ""},
		228: {"SECCOMP", "its filter of system calls cannot be set"},
		229: {"SELINUX_CONTEXT", ""},
		230: {"PERSONALITY", ""},
		231: {"APPARMOR_PROFILE", ""},
		232: {"ADDRESS_FAMILIES", ""},
		233: {"RUNTIME_DIRECTORY", "its RuntimeDirectory= cannot be made"},
		235: {"CHOWN", ""},
		236: {"SMACK_PROCESS_LABEL", ""},
		237: {"KEYRING", ""},
		238: {"STATE_DIRECTORY", "its StateDirectory= cannot be made"},
		239: {"CACHE_DIRECTORY", "its CacheDirectory= cannot be made"},
		240: {"LOGS_DIRECTORY", "its LogsDirectory= cannot be made"},
		241: {"CONFIGURATION_DIRECTORY", "its ConfigurationDirectory= cannot be made"},
		242: {"NUMA_POLICY", ""},
		243: {"CREDENTIALS", "its credentials cannot be read"},
		245: {"BPF", ""},
	}
}
