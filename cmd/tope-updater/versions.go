package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/platform/versions"
)

func (a *app) versionsCommand() *cobra.Command {
	var verify bool
	cmd := &cobra.Command{
		Use:   "versions [VERSION...]",
		Short: "list the versions on the device, or read them back from the disk",
		Long: `List the versions on the device, with the services that run from each now. With --verify every file of the named versions, or
of all, is read back from the disk, past the page cache, and compared with the
version's manifest; the exit code is 10 when something is wrong.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.connect(cmd.Context(), reads)
			if err != nil {
				return err
			}
			defer s.close()
			all, err := s.Versions(cmd.Context())
			if err != nil {
				return err
			}
			if all, err = pick(all, args); err != nil {
				return err
			}
			if !verify {
				return a.term.answer(httpapi.Installed{Versions: all}, func(t *terminal) { t.versions(all) })
			}
			var results []versions.Verification
			for _, v := range all {
				r, err := s.VerifyVersion(cmd.Context(), v.Version)
				if err != nil {
					return err
				}
				results = append(results, r)
			}
			return a.verified(results...)
		},
	}
	cmd.Flags().BoolVar(&verify, "verify", false, "read every file back from the disk")
	return cmd
}

// pick keeps the named versions, in the order of the names; all without a name.
func pick(all []httpapi.InstalledVersion, names []string) ([]httpapi.InstalledVersion, error) {
	if len(names) == 0 {
		return all, nil
	}
	var picked []httpapi.InstalledVersion
	for _, name := range names {
		found := false
		for _, v := range all {
			if v.Version == strings.TrimPrefix(name, "v") {
				picked, found = append(picked, v), true
			}
		}
		if !found {
			return nil, fmt.Errorf("%w: %s; \"tope-updater versions\" lists those that are installed", versions.ErrNotFound, name)
		}
	}
	return picked, nil
}

func (t *terminal) versions(all []httpapi.InstalledVersion) {
	if len(all) == 0 {
		t.say("no versions are installed")
		return
	}
	rows := [][]string{{"version", "state", "pointers", "runs", "size", "files", "created (UTC)"}}
	for _, v := range all {
		state := string(v.State)
		if v.Problem != "" {
			state += ": " + v.Problem
		}
		rows = append(rows, []string{
			v.Version, state, strings.Join(v.Pointers, " "), strings.Join(v.Services, " "), human.Bytes(v.Bytes), strconv.Itoa(v.Files), limit(v.Created),
		})
	}
	t.table(rows...)
}

// verified tells what reading versions back from the disk found.
func (a *app) verified(results ...versions.Verification) error {
	bad := 0
	for _, v := range results {
		if !v.OK() {
			bad++
		}
	}
	err := a.term.answer(struct {
		Verifications []versions.Verification `json:"verifications"`
	}{append([]versions.Verification{}, results...)}, func(t *terminal) {
		for _, v := range results {
			t.verification(v)
		}
	})
	if err == nil && bad > 0 {
		err = fmt.Errorf("%w: %d of %d versions are not as they were published; install the release again", errRefused, bad, len(results))
	}
	return err
}

func (t *terminal) verification(v versions.Verification) {
	how := "read from the disk"
	if !v.Direct {
		how = "read, perhaps from memory"
	}
	word := t.paint(timeline.Good, "good")
	switch {
	case !v.OK():
		word = t.paint(timeline.Bad, "bad")
	case v.State == versions.Unverified:
		word = t.paint(timeline.Warn, "unverified")
		how += "; made by hand, so there is nothing to compare it with"
	}
	t.say("%s %s: %d files, %s, %s", v.Version, word, v.Files, human.Bytes(v.Bytes), how)
	for _, p := range v.Problems {
		t.say("  %s", p)
	}
}
