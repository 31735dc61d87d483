// Package health is the schema of a health check, and the judge of one. The
// configuration, the description of a release, its signed release file and the
// manifest of a version all write checks the same way, and a check that is valid
// in one of them is valid in the others.
//
// Validate refuses a check that cannot pass on any device: a release with one
// would be rolled back everywhere. It looks at nothing but the check. Running one is
// the work of package steps/healthcheck.
//
// To add a kind of check, add its constant, its row and, if it looks at something
// new, its field in kinds.go; then how it looks in steps/healthcheck/kinds.go; then
// its line in docs/configuration.md.
package health

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tope/updater/platform/clock"
	"github.com/tope/updater/platform/service"
)

// Defaults for the times that a check leaves out, and the most that a release may
// ask for: deadlines of steps are set before its checks are known.
const (
	DefaultTimeout = 30 * time.Second
	DefaultStable  = 5 * time.Second
	MaxWait        = time.Hour
	// MaxChecks is how many checks a release may have.
	MaxChecks = 100
)

// Author is who wrote a check.
type Author int

// The authors.
const (
	// Device: its configuration. Programs are named by absolute paths.
	Device Author = iota
	// Publisher: a release. A relative path is a program of the version, and no
	// wait is longer than MaxWait.
	Publisher
)

// Validate says why a check by this author is refused, and what to write
// instead.
func (c Check) Validate(by Author) error {
	switch {
	case c.Service == "":
		return errors.New("it names no service; write service = \"NAME\"")
	case !service.ValidName(c.Service):
		return fmt.Errorf("service %.40q is not a service's name; write letters, digits, - _ . @", c.Service)
	}
	k, ok := kindOf(c.Kind)
	if !ok {
		return fmt.Errorf("there is no such kind; write %s", choice())
	}
	if err := k.validate(c, by); err != nil {
		return err
	}
	for _, d := range []struct {
		key  string
		long clock.Duration
	}{{"timeout", c.Timeout}, {"stable", c.Stable}} {
		if by == Publisher && time.Duration(d.long) > MaxWait {
			return fmt.Errorf("%s %s is longer than %s; write a shorter one", d.key, d.long, MaxWait)
		}
	}
	return nil
}

// Name tells a check from the others of its list, for messages: i counts from 0.
func (c Check) Name(i int) string {
	if c.Service == "" {
		return fmt.Sprintf("health check %d (%.20s)", i+1, c.Kind)
	}
	return fmt.Sprintf("health check %d (%.20s of %.40s)", i+1, c.Kind, c.Service)
}

// Released says what is wrong with the first bad check of a release.
func Released(checks []Check) error {
	if len(checks) > MaxChecks {
		return fmt.Errorf("there are %d health checks, more than the %d allowed", len(checks), MaxChecks)
	}
	for i, c := range checks {
		if err := c.Validate(Publisher); err != nil {
			return fmt.Errorf("%s: %w", c.Name(i), err)
		}
	}
	return nil
}

// Target is what a check looks at, for people and to tell checks apart. It has
// no password in it.
func (c Check) Target() string {
	if k, ok := kindOf(c.Kind); ok {
		return k.target(c)
	}
	return strings.Join(c.Command, " ")
}
