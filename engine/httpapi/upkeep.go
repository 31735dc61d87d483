package httpapi

import (
	"context"
	"fmt"
	"math"
	"net/http"

	"github.com/tope/updater/engine"
	"github.com/tope/updater/platform/look"
	"github.com/tope/updater/platform/versions"
)

const versionsPath = "/api/v2/versions"

func (a *api) versions(w http.ResponseWriter, r *http.Request) error {
	all, err := a.Versions.List()
	if err != nil {
		return fmt.Errorf("cannot list the versions: %w", err)
	}
	return answer(w, http.StatusOK, Installed{whoRuns(all, a.presence.services(r.Context()))})
}

// verifyVersion reads a whole version back from the disk: it may take minutes.
func (a *api) verifyVersion(w http.ResponseWriter, r *http.Request) error {
	version := r.PathValue("version")
	if err := checkVersion(version); err != nil {
		return err
	}
	if err := readNothing(r); err != nil {
		return err
	}
	return a.answerVerified(w, r, version)
}

func (a *api) answerVerified(w http.ResponseWriter, r *http.Request, version string) error {
	t, err := large(w, r) // it reads much, though it answers little
	if err != nil {
		return err
	}
	defer t.done()
	wait(w)
	v, err := a.Versions.Verify(r.Context(), version)
	if err != nil {
		return fmt.Errorf("cannot verify version %s: %w", version, err)
	}
	return t.write(func() error { return answer(w, http.StatusOK, v) })
}

func (a *api) verifyFactory(w http.ResponseWriter, r *http.Request) error {
	if err := readNothing(r); err != nil {
		return err
	}
	p, err := a.pointer(versions.Factory, func(p versions.Pointers) string { return p.Factory })
	if err != nil {
		return err
	}
	return a.answerVerified(w, r, p)
}

// pointer returns the version a pointer leads to; a pointer that is absent is
// an error that wraps engine.ErrNotFound.
func (a *api) pointer(name string, of func(versions.Pointers) string) (string, error) {
	p, err := a.Versions.Pointers()
	if err != nil {
		return "", fmt.Errorf("cannot read the pointers: %w", err)
	}
	if of(p) == "" {
		return "", absent(name)
	}
	return of(p), nil
}

// absent is the error for a pointer that does not lead to a version.
func absent(pointer string) error {
	return fmt.Errorf("pointer %s: %w, it leads to no version", pointer, engine.ErrNotFound)
}

func current(p versions.Pointers) string { return p.Current }

func (a *api) prune(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	keep := int64(a.Keep)
	if _, given := o.fields["keep"]; given {
		keep = o.number("keep")
	}
	if err := o.done(); err != nil {
		return err
	}
	if keep < 0 || keep > math.MaxInt32 {
		return invalid("field keep must not be negative")
	}
	wait(w)
	var removed []string
	err = a.Engine.Exclusive(r.Context(), "prune", func(context.Context) (err error) {
		removed, err = a.Versions.Prune(int(keep))
		return err
	})
	if err != nil {
		return err
	}
	return accepted(w, versionsPath, Pruned{list(removed)})
}

func (a *api) createFactory(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	version, replace := o.given("version"), o.flag("replace")
	if err := o.done(); err != nil {
		return err
	}
	if version == "" {
		version, err = a.pointer(versions.Current, current)
	} else {
		err = checkVersion(version)
	}
	if err != nil {
		return err
	}
	wait(w)
	var report versions.FactoryReport
	err = a.Engine.Exclusive(r.Context(), "factory create "+version, func(ctx context.Context) (err error) {
		report, err = a.Versions.CreateFactory(ctx, version, replace)
		return err
	})
	if err != nil {
		p := problemOf(err)
		p.Problems = report.Problems
		return p
	}
	return accepted(w, versionsPath, report)
}

// links compares the links outside the versions with the current version.
func (a *api) links(w http.ResponseWriter, _ *http.Request) error {
	version, all, err := look.Links(a.Versions)
	if err != nil {
		return err
	}
	if version == "" {
		return absent(versions.Current)
	}
	return answer(w, http.StatusOK, Links{list(all)})
}

// repairLinks adds links that are missing and removes links that lead nowhere.
// A LinksRequest can ask for more.
func (a *api) repairLinks(w http.ResponseWriter, r *http.Request) error {
	o, err := readObject(r)
	if err != nil {
		return err
	}
	in := LinksRequest{Pointers: o.flag("pointers"), Adopt: o.flag("adopt"), Current: o.given("current")}
	if err := o.done(); err != nil {
		return err
	}
	if in.Current != "" {
		if err := checkVersion(in.Current); err != nil {
			return err
		}
	}
	var repaired LinksRepaired
	err = a.Engine.Exclusive(r.Context(), "links", func(ctx context.Context) (err error) {
		if in.Pointers {
			if repaired.Pointers, err = a.Versions.SetPointers(in.Current); err != nil {
				return err
			}
		}
		version, err := a.pointer(versions.Current, current)
		if err != nil {
			return err
		}
		if in.Adopt {
			if repaired.Aside, err = a.Versions.AdoptLinks(ctx, version); err != nil {
				return err
			}
		}
		if repaired.Added, err = a.Versions.EnsureLinks(version); err != nil {
			return err
		}
		repaired.Removed, err = a.Versions.SweepLinks(version)
		return err
	})
	if err != nil {
		return err
	}
	repaired.Added, repaired.Removed = list(repaired.Added), list(repaired.Removed)
	return accepted(w, "/api/v2/links", repaired)
}
