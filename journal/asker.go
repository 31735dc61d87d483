package journal

import (
	"strconv"
	"strings"
)

// AskerKind says how it is known who asked.
type AskerKind string

// The kinds of asker. A later program may write others.
const (
	// ByUser: a user of the device, by the kernel's word: through the socket, or a
	// command that does the work itself.
	ByUser AskerKind = "user"
	// ByToken: the holder of a bearer token.
	ByToken AskerKind = "token"
	// ByLegacy: a client of the legacy API over TCP. On the device itself the kernel tells
	// its user; of others only the address is known.
	ByLegacy AskerKind = "legacy"
	// ByUpdater: nobody; recovery found an update to finish.
	ByUpdater AskerKind = "updater"
	// BySource: a source of offers, such as a channel or a fleet server, by the device's
	// own question.
	BySource AskerKind = "source"
)

// Asker is who asked for something.
type Asker struct {
	Kind AskerKind `json:"kind"`
	// UID is a pointer because 0 is root. User is its name on the device, if it has one.
	UID  *uint32 `json:"uid,omitempty"`
	User string  `json:"user,omitempty"`
	// PID and Process are the process that connected. A process chooses its name
	// itself; the number is the kernel's.
	PID     int32  `json:"pid,omitempty"`
	Process string `json:"process,omitempty"`
	// Token is the token's name.
	Token string `json:"token,omitempty"`
	// Source is the source's name on this device, Action the name that it has for its offer.
	Source string `json:"source,omitempty"`
	Action string `json:"action,omitempty"`
	// Peer is the other end of a TCP connection, ADDRESS:PORT.
	Peer string `json:"peer,omitempty"`
}

// String says it in a few words: "root (tope-updater, process 123)", "token ci from
// 192.0.2.7:4711", "the legacy API's client at 127.0.0.1:4711, of tope". It is empty for
// nobody.
func (a *Asker) String() string {
	if a == nil {
		return ""
	}
	switch a.Kind {
	case ByUpdater:
		return "the updater itself"
	case BySource:
		if a.Action == "" {
			return a.Source
		}
		return a.Source + ", offer " + a.Action
	case ByLegacy:
		s := "the legacy API's client at " + a.Peer
		if of := a.user(); of != "" {
			s += ", of " + of
		}
		return s
	case ByToken:
		s := "token " + a.Token
		if of := a.user(); of != "" {
			s += " used by " + of
		}
		if a.Peer != "" {
			s += " from " + a.Peer
		}
		return s
	}
	return a.user()
}

// user is the user and the process.
func (a *Asker) user() string {
	s := a.User
	switch {
	case s == "" && a.UID == nil:
		return ""
	case s == "":
		s = "user " + strconv.FormatUint(uint64(*a.UID), 10)
	}
	var process []string
	if a.Process != "" {
		process = append(process, a.Process)
	}
	if a.PID > 0 {
		process = append(process, "process "+strconv.Itoa(int(a.PID)))
	}
	if len(process) > 0 {
		s += " (" + strings.Join(process, ", ") + ")"
	}
	return s
}
