package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tope/updater/cmd/internal/human"
	"github.com/tope/updater/cmd/internal/timeline"
	"github.com/tope/updater/engine"
	"github.com/tope/updater/engine/httpapi"
	"github.com/tope/updater/engine/httpapi/client"
	"github.com/tope/updater/journal"
)

func (a *app) journalCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "journal VERB",
		Short: "read the record of everything that was done, and why",
		Long: `Read the record of everything that was done, and why. A daemon that runs is
asked; without one, or when it hangs, the file itself is read, and never changed.
--file reads a copy, on any machine.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usagef("say what to read: %s list, show, export, graph or verify", cmd.CommandPath())
		},
	}
	cmd.PersistentFlags().StringVar(&file, "file", "", "read this `copy` of a journal instead of the device's")
	open := func(ctx context.Context) (records, error) { return a.records(ctx, file) }
	cmd.AddCommand(a.journalList(open), a.journalShow(open), a.journalExport(open), a.journalGraph(), a.journalVerify(open))
	return cmd
}

// records is a journal to read: the daemon's, or a file.
type records interface {
	Updates(ctx context.Context) ([]journal.Update, error)
	Records(ctx context.Context, update string) ([]journal.Record, error)
	VerifyJournal(ctx context.Context) (journal.Report, error)
	Close()
}

func (a *app) records(ctx context.Context, file string) (records, error) {
	if file != "" {
		r, err := journal.OpenReader(file, journal.Options{})
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", file, err)
		}
		return a.copyOf(r), nil
	}
	d, err := a.device()
	if err != nil {
		return nil, err
	}
	socket, err := d.socket()
	if err != nil {
		return nil, err
	}
	// When the daemon does not answer, for whatever reason, read the file.
	c := client.Socket(socket)
	if c.Alive(ctx) == nil {
		return closing{c}, nil
	}
	c.Close()
	r, err := d.openReader()
	if errors.Is(err, journal.ErrMissing) {
		return nil, fmt.Errorf("%w: %w; no update was ever made here, or its partition is not mounted", engine.ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	return a.copyOf(r), nil
}

type closing struct{ *client.Client }

// copyOf reads a file. A damaged file is read as far as possible, and the user is told.
func (a *app) copyOf(r *journal.Reader) records {
	if err := r.Damaged(); err != nil {
		a.term.note("%s: %s; what can be read follows", r.Path(), err)
	}
	return fileRecords{r}
}

type fileRecords struct{ r *journal.Reader }

func (f fileRecords) Updates(context.Context) ([]journal.Update, error) {
	all, err := f.r.Updates()
	return httpapi.UpdatesWithoutPasswords(all), err
}

func (f fileRecords) Records(_ context.Context, update string) ([]journal.Record, error) {
	recs, err := f.r.Records(update)
	if err == nil && update != "" && len(recs) == 0 {
		err = fmt.Errorf("update %s: %w in the journal; \"tope-updater journal list\" has those it keeps", update, engine.ErrNotFound)
	}
	return httpapi.RecordsWithoutPasswords(recs), err
}

func (f fileRecords) VerifyJournal(context.Context) (journal.Report, error) { return f.r.Verify() }
func (f fileRecords) Close()                                                { _ = f.r.Close() }

type opener func(context.Context) (records, error)

func (a *app) journalList(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "list the updates, newest first",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			all, rerr := r.Updates(cmd.Context())
			if rerr != nil && len(all) == 0 {
				return rerr
			}
			if all == nil {
				all = []journal.Update{}
			}
			recs, err := r.Records(cmd.Context(), "")
			rerr = errors.Join(rerr, err)
			answer := updatesAndRepairs{httpapi.Updates{Updates: all}, repairs(recs)}
			err = a.term.answer(answer, func(t *terminal) {
				t.updates(all)
				t.repairs(answer.Repairs)
			})
			return errors.Join(rerr, err)
		},
	}
}

// updatesAndRepairs is what the journal has, told in short.
type updatesAndRepairs struct {
	httpapi.Updates
	// Repairs are what recovery did to current without an update, newest first.
	Repairs []journal.Repaired `json:"repairs,omitempty"`
}

func repairs(recs []journal.Record) (list []journal.Repaired) {
	for _, r := range recs {
		if r.Repair != nil {
			list = append(list, journal.Repaired{Time: r.Time, To: r.Repair.To, Why: r.Why})
		}
	}
	slices.Reverse(list)
	return list
}

func (t *terminal) repairs(list []journal.Repaired) {
	for _, r := range list {
		t.say("repaired on %s: %s", r.Time.UTC().Format(time.DateTime), r.Why)
	}
}

func (t *terminal) updates(all []journal.Update) {
	if len(all) == 0 {
		t.say("no updates yet")
		return
	}
	rows := [][]string{{"update", "kind", "from", "to", "state", "accepted (UTC)", "took", "why"}}
	for _, u := range all {
		took, why := "", ""
		if u.Terminal {
			took = human.Span(u.Took, u.TookUnsure)
		}
		if f := u.Cause; f != nil {
			why = f.Code
		} else if f := u.Error; f != nil && !engine.Success(u.State) {
			why = f.Code
		}
		rows = append(rows, []string{u.ID, string(u.Kind), orNone(u.From), u.To, string(u.State), u.Accepted.UTC().Format("2006-01-02 15:04:05"), took, why})
	}
	t.table(rows...)
}

func (a *app) journalShow(open opener) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "show [UPDATE]",
		Short: "tell the story of an update (default: the newest)",
		RunE: func(cmd *cobra.Command, args []string) error {
			if all && len(args) > 0 {
				return usagef("name an update, or say --all")
			}
			r, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			id := ""
			switch {
			case len(args) > 0:
				id = args[0]
			case !all:
				if id, err = newest(cmd.Context(), r); err != nil {
					return err
				}
			}
			recs, rerr := r.Records(cmd.Context(), id)
			if rerr != nil && len(recs) == 0 {
				return rerr
			}
			tl := timeline.Build(recs)
			return errors.Join(rerr, a.term.answer(tl, func(t *terminal) { t.timeline(tl) }))
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything the journal keeps, records about the device included")
	return cmd
}

func newest(ctx context.Context, r records) (string, error) {
	all, err := r.Updates(ctx)
	if len(all) == 0 {
		return "", errors.Join(err, fmt.Errorf("%w: there was no update yet; --all shows what else the journal has", engine.ErrNotFound))
	}
	return all[0].ID, nil
}

func (a *app) journalExport(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "write every record as one line of JSON, checksums included",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			recs, rerr := r.Records(cmd.Context(), "")
			return errors.Join(rerr, export(a.term.out, recs))
		},
	}
}

func export(w io.Writer, recs []journal.Record) error {
	for _, r := range recs {
		if err := encode(w, "", httpapi.Record{Record: r, Sum: r.Sum}); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) journalGraph() *cobra.Command {
	return &cobra.Command{
		Use:   "graph",
		Short: "draw the states of an update and what leads from one to the next (Mermaid)",
		RunE: func(*cobra.Command, []string) error {
			type edge struct {
				From    engine.State   `json:"from"`
				Trigger engine.Trigger `json:"trigger"`
				To      engine.State   `json:"to"`
				Guard   string         `json:"guard,omitempty"`
				Meaning string         `json:"meaning"`
			}
			edges := []edge{}
			for _, t := range engine.Table() {
				edges = append(edges, edge{t.From, t.Trigger, t.To, t.Guard.Name, t.Meaning})
			}
			return a.term.answer(edges, func(t *terminal) { t.raw(engine.Graph()) })
		},
	}
}

func (a *app) journalVerify(open opener) *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "check the whole chain of records and the file's structure",
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := open(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			report, err := r.VerifyJournal(cmd.Context())
			if err != nil {
				return err
			}
			err = a.term.answer(report, func(t *terminal) {
				t.say("%d records of %d updates, numbers %d to %d", report.Records, report.Updates, report.First, report.Last)
				for _, p := range report.Problems {
					t.say("%s: %s", t.paint(timeline.Bad, p.Kind), p.Text)
				}
				if report.OK() {
					t.say("%s", t.paint(timeline.Good, "the journal is whole"))
				}
			})
			if err == nil && !report.OK() {
				err = fmt.Errorf("%w: the journal is damaged; the daemon puts it aside and starts a fresh one when it next opens it", errRefused)
			}
			return err
		},
	}
}

// timeline prints a story.
func (t *terminal) timeline(tl timeline.Timeline) {
	var text bytes.Buffer
	_ = timeline.Write(&text, tl, t.paint) // a buffer takes all
	t.write(text.String())
}
