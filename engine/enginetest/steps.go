package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tope/updater/platform/source"
	"github.com/tope/updater/platform/versions"
	"github.com/tope/updater/steps"
)

// Bundle is the only bundle of the world's only server, at the time of a request.
type Bundle struct {
	Version, Digest string
	// Broken fails Verify.
	Broken bool
	// Parts is how many pieces it is fetched in, each followed by a checkpoint in
	// the journal; 0 for one piece without a checkpoint.
	Parts int
}

// fake is a step made of closures over a World.
type fake struct {
	probe func(*steps.Task) steps.Reach
	do    func(*steps.Task) (steps.Outcome, error)
	undo  func(*steps.Task) error
}

func (f fake) Probe(_ context.Context, t *steps.Task) (steps.Reach, error) {
	if f.probe == nil {
		return steps.NotStarted, nil
	}
	return f.probe(t), nil
}

func (f fake) Do(ctx context.Context, t *steps.Task) (steps.Outcome, error) {
	if ctx.Err() != nil {
		return steps.Outcome{}, context.Cause(ctx)
	}
	return f.do(t)
}

func (f fake) Undo(_ context.Context, t *steps.Task) error {
	if f.undo == nil {
		return nil
	}
	return f.undo(t)
}

// Steps are the eleven steps, on this world, for a bundle.
func (w *World) Steps(b *Bundle) map[steps.Name]steps.Step {
	file := func(name string) fake {
		return fake{
			probe: func(t *steps.Task) steps.Reach {
				if w.Files[name+" "+t.Update] {
					return steps.Done
				}
				return steps.NotStarted
			},
			do: func(t *steps.Task) (steps.Outcome, error) {
				return steps.Outcome{}, w.Use(name, func() error { w.Files[name+" "+t.Update] = true; return nil })
			},
			undo: func(t *steps.Task) error {
				f := name + " " + t.Update
				if !w.Files[f] {
					return nil
				}
				return w.Use("undo "+name, func() error { delete(w.Files, f); return nil })
			},
		}
	}
	turn := steps.Sequence{{Name: steps.Switch, Step: w.switchStep()}, {Name: steps.Restart, Step: w.restartStep()}, {Name: steps.HealthCheck, Step: w.gateStep()}}
	return map[steps.Name]steps.Step{
		steps.Download: w.download(b, file("download")),
		steps.Verify: fake{do: func(*steps.Task) (steps.Outcome, error) {
			if b.Broken {
				return steps.Outcome{}, &steps.Error{Class: steps.Refused, Code: steps.InvalidPackage, Err: errors.New("broken bundle")}
			}
			return steps.Outcome{Release: steps.Release{Version: b.Version, Digest: b.Digest}}, nil
		}},
		steps.Extract: file("extract"),
		steps.Stage: fake{
			probe: func(t *steps.Task) steps.Reach {
				if w.States[t.Release.Version].Usable() {
					return steps.Done
				}
				return steps.NotStarted
			},
			do: func(t *steps.Task) (steps.Outcome, error) {
				return steps.Outcome{}, w.Use("publish "+t.Release.Version, func() error {
					w.States[t.Release.Version], w.Digests[t.Release.Version] = versions.Complete, t.Release.Digest
					delete(w.Files, "extract "+t.Update)
					return nil
				})
			},
		},
		steps.Switch: w.switchStep(), steps.Restart: w.restartStep(), steps.HealthCheck: w.gateStep(), steps.Commit: w.gateStep(),
		steps.Rollback: turn, steps.Factory: turn, steps.Return: w.switchStep(),
	}
}

// download fetches a bundle in parts: it goes on from the checkpoint that an
// earlier attempt left.
func (w *World) download(b *Bundle, whole fake) steps.Step {
	parts := whole
	parts.do = func(t *steps.Task) (steps.Outcome, error) {
		if url := t.Source.URL.Unredacted(); strings.Contains(url, source.Hidden) {
			return steps.Outcome{}, &steps.Error{Class: steps.Unavailable, Code: steps.DownloadFailed, Err: fmt.Errorf("the server does not know %s", url)}
		}
		if b.Parts == 0 {
			return whole.do(t)
		}
		have := 0
		if _, err := t.Notes.Load(&have); err != nil {
			return steps.Outcome{}, err
		}
		for have < b.Parts {
			have++
			if err := w.Use(fmt.Sprintf("fetch part %d of %d", have, b.Parts), func() error { return nil }); err != nil {
				return steps.Outcome{}, err
			}
			if err := t.Notes.Save(have); err != nil {
				return steps.Outcome{}, err
			}
		}
		return whole.do(t)
	}
	return parts
}

func (w *World) switchStep() steps.Step {
	return fake{
		probe: func(t *steps.Task) steps.Reach {
			if w.P.Current == t.Target.Current && w.P.Previous == t.Target.Previous && w.Sync() == nil {
				return steps.Done
			}
			return steps.NotStarted
		},
		do: func(t *steps.Task) (steps.Outcome, error) {
			if err := w.Use("stop", func() error { w.Running, w.Started = "", steps.Moment{}; return nil }); err != nil {
				return steps.Outcome{}, err
			}
			moves := []engineMove{{versions.Previous, t.Target.Previous}, {versions.Current, t.Target.Current}}
			if t.Back {
				moves[0], moves[1] = moves[1], moves[0]
			}
			for _, m := range moves {
				set := func() error { return w.Point(m.pointer, m.to) }
				if m.to == "" {
					set = func() error { return w.Unpoint(m.pointer) }
				}
				if err := set(); err != nil {
					return steps.Outcome{}, err
				}
			}
			return steps.Outcome{}, nil
		},
	}
}

type engineMove struct{ pointer, to string }

func (w *World) fresh(t *steps.Task) bool {
	return w.Running == t.Target.Current && (w.Started.Boot != t.Since.Boot || w.Started.Mono >= t.Since.Mono)
}

func (w *World) restartStep() steps.Step {
	return fake{
		probe: func(t *steps.Task) steps.Reach {
			if t.Target.Current == "" || w.fresh(t) {
				return steps.Done
			}
			return steps.NotStarted
		},
		do: func(t *steps.Task) (steps.Outcome, error) {
			if w.Dead[w.P.Current] {
				return steps.Outcome{}, &steps.Error{Class: steps.Unhealthy, Code: steps.ServiceFailed, Err: fmt.Errorf("version %s cannot be started", w.P.Current)}
			}
			return steps.Outcome{}, w.Use("restart "+w.P.Current, func() error {
				w.Running, w.Started = w.P.Current, steps.Moment{Boot: w.Clock.Boot(), Mono: w.Clock.Monotonic()}
				return nil
			})
		},
	}
}

func (w *World) gateStep() steps.Step {
	return fake{do: func(t *steps.Task) (steps.Outcome, error) {
		var why error
		switch v := t.Target.Current; {
		case v == "":
		case w.Sick[v]:
			why = fmt.Errorf("version %s is not healthy", v)
		case w.Running != v:
			why = fmt.Errorf("version %s is not healthy: services run from %q", v, w.Running)
		case !w.fresh(t):
			why = fmt.Errorf("version %s is not healthy: its services were started before the flip", v)
		}
		if why != nil {
			return steps.Outcome{}, &steps.Error{Class: steps.Unhealthy, Code: steps.HealthFailed, Err: why}
		}
		return w.inTime(t)
	}}
}

// inTime judges whether a version that is well is so in time.
func (w *World) inTime(t *steps.Task) (steps.Outcome, error) {
	needs, told := w.Needs[t.Target.Current]
	if !told {
		return steps.Outcome{}, nil
	}
	check, limit := steps.Figure{Service: "api", What: steps.CheckOf("http", "health"), Took: needs}, 30*time.Second
	if t.Back {
		limit *= 10
	}
	if needs > limit {
		check.Took = limit
		return steps.Outcome{}, &steps.Error{
			Class: steps.Late, Code: steps.HealthFailed, Late: []steps.Figure{check},
			Err: fmt.Errorf("version %s is not healthy within %s", t.Target.Current, limit),
		}
	}
	seen := steps.Judged{Figures: []steps.Figure{check}}
	return steps.Outcome{Evidence: judged{seen}, Figures: seen.Figures}, nil
}

// judged is the evidence of a gate that has passed.
type judged struct{ steps.Judged }

var _ steps.Fact = judged{}

// Preflight implements engine.Gate. A version that is Unfit is found to be so.
func (w *World) Preflight(_ context.Context, t *steps.Task) (p steps.Preflight, err error) {
	if t.Before.Current != "" {
		p.Baseline = json.RawMessage(`{"healthy":true}`)
	}
	p.Findings = append(p.Findings, w.Unfit[t.Target.Current]...)
	return p, nil
}
