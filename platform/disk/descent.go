package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// ErrTooWide means that a tree has so many directories beside each other on one way
// down that a walk would not fit into memory.
var ErrTooWide = errors.New("too many directories in one another")

// Descent is a way down from a directory, which it holds, and back up. It keeps few
// descriptors however deep it goes, and each step costs the same: the directories far
// above are closed, and found again as the parent of the one below. One that is not the
// same any more, because somebody has moved a directory, is an error.
type Descent struct{ way []level }

type level struct {
	dir      *Dir // nil while it is closed
	dev, ino uint64
}

// heldOpen is how many directories of a descent stay open.
const heldOpen = 32

// Begin starts a descent at d, which the descent closes.
func Begin(d *Dir) (*Descent, error) {
	s := &Descent{}
	return s, s.push(d)
}

// At is the directory that the descent is in. It is open until Down, Up or Close.
func (s *Descent) At() *Dir { return s.way[len(s.way)-1].dir }

// Depth is how many directories are above.
func (s *Descent) Depth() int { return len(s.way) - 1 }

// Down goes into the directory of this name.
func (s *Descent) Down(name string) error {
	d, err := s.At().Open(name)
	if err != nil {
		return err
	}
	return s.push(d)
}

func (s *Descent) push(d *Dir) error {
	st, err := d.Stat()
	if err != nil {
		return errors.Join(err, d.Close())
	}
	s.way = append(s.way, level{d, st.Dev, st.Ino})
	if far := len(s.way) - 1 - heldOpen; far >= 0 && s.way[far].dir != nil {
		path := s.way[far].dir.path
		err = s.way[far].dir.Close()
		s.way[far].dir = nil
		if err != nil {
			return fmt.Errorf("close %s: %w", path, err)
		}
	}
	return nil
}

// Up goes back to the directory above.
func (s *Descent) Up() error {
	last := len(s.way) - 1
	below, above := s.way[last], &s.way[last-1]
	if above.dir == nil {
		d, err := openDir(below.dir.fd(), "..", below.dir.join(".."), unix.O_NOFOLLOW)
		if err != nil {
			return err
		}
		st, err := d.Stat()
		if err == nil && (st.Dev != above.dev || st.Ino != above.ino) {
			err = fmt.Errorf("%s was moved while it was read", below.dir.path)
		}
		if err != nil {
			return errors.Join(err, d.Close())
		}
		above.dir = d
	}
	s.way = s.way[:last]
	return below.dir.Close()
}

// Close ends the descent, wherever it is.
func (s *Descent) Close() error {
	var errs []error
	for _, l := range s.way {
		if l.dir != nil {
			errs = append(errs, l.dir.Close())
		}
	}
	s.way = nil
	return errors.Join(errs...)
}

// Tour is what is done on a walk through a tree of others. Each function may be nil, and
// ends the walk with its error.
type Tour struct {
	// Entry is called for each entry of a directory, with Lstat's answer. For a directory
	// that is before it is entered; fs.SkipDir passes it by.
	Entry func(in *Dir, name string, st *unix.Stat_t) error
	// Enter is called in a directory before its entries, Leave after them. The name of the
	// directory that the walk began in is "".
	Enter func(dir *Dir, name string, st *unix.Stat_t) error
	Leave func(dir *Dir, st *unix.Stat_t) error
	// Left is called in the directory above, after Leave.
	Left func(in *Dir, name string) error
	// Stay ends the walk with ErrMounted before a directory is entered that something is
	// mounted on.
	Stay bool
	// Partial leaves entries out where a walk would end with ErrTooWide.
	Partial bool
	// Unreadable is called for a directory that cannot be opened; on nil it is tried once more.
	Unreadable func(in *Dir, name string, err error) error
}

// Walk goes through all that is below d, by descriptors: it follows no symlink, its
// cost is linear in the number of entries however they are nested, and it needs
// little memory: ErrTooWide otherwise. What vanishes meanwhile is left out, and so is what
// turns into something else.
func (d *Dir) Walk(t Tour) error {
	top, err := openDir(d.fd(), ".", d.path, 0)
	if err != nil {
		return err
	}
	way, err := Begin(top)
	if err != nil {
		return err
	}
	w := walker{Tour: t, way: way}
	if t.Stay {
		w.top, err = d.place()
	}
	if err == nil {
		err = w.run()
	}
	return errors.Join(err, way.Close())
}

type walker struct {
	Tour
	way   *Descent
	rooms []room // one for each level of the descent
	names int    // the bytes that they hold
	top   place  // where the walk began, for one that stays
}

// room is a directory on the way: the directories in it that were not entered yet.
type room struct {
	name string
	st   unix.Stat_t
	todo []string
}

// mostNames bounds the memory of a walk: the names of directories that are still to enter.
const mostNames = 8 << 20

func (w *walker) run() error {
	if err := w.enter(""); err != nil {
		return err
	}
	for {
		r := &w.rooms[len(w.rooms)-1]
		if len(r.todo) > 0 {
			last := len(r.todo) - 1
			name := r.todo[last]
			r.todo = r.todo[:last]
			w.names -= cost(name)
			if err := w.down(name); err != nil {
				return err
			}
			continue
		}
		if w.Leave != nil {
			if err := w.Leave(w.way.At(), &r.st); err != nil {
				return err
			}
		}
		name := r.name
		w.rooms = w.rooms[:len(w.rooms)-1]
		if len(w.rooms) == 0 {
			return nil
		}
		if err := w.way.Up(); err != nil {
			return err
		}
		if w.Left != nil {
			if err := w.Left(w.way.At(), name); err != nil {
				return err
			}
		}
	}
}

// cost is what a name takes in a list.
func cost(name string) int { return len(name) + 16 }

func (w *walker) down(name string) error {
	err := w.way.Down(name)
	if err != nil && w.Unreadable != nil && !gone(err) {
		if err = w.Unreadable(w.way.At(), name, err); err == nil {
			err = w.way.Down(name)
		}
	}
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return w.enter(name)
}

// gone reports whether an error says that an entry is no longer there, or is not what it was.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDirectory)
}

// enter reads the directory that the descent has come to. Its files are visited at once,
// its directories afterwards.
func (w *walker) enter(name string) error {
	dir := w.way.At()
	r := room{name: name}
	var err error
	if r.st, err = dir.Stat(); err != nil {
		return err
	}
	if w.Stay {
		if err := dir.isBelow(w.top); err != nil {
			return err
		}
	}
	if w.Enter != nil {
		if err := w.Enter(dir, name, &r.st); err != nil {
			return err
		}
	}
	for {
		const some = 512
		names, err := dir.f.Readdirnames(some)
		slices.Sort(names)
		for _, n := range names {
			if err := w.entry(dir, n, &r); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	slices.Reverse(r.todo) // taken from the end
	w.rooms = append(w.rooms, r)
	return nil
}

func (w *walker) entry(dir *Dir, name string, r *room) error {
	st, err := dir.Lstat(name)
	if gone(err) {
		return nil
	}
	if err == nil && w.Entry != nil {
		err = w.Entry(dir, name, &st)
	}
	if errors.Is(err, fs.SkipDir) || err == nil && st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil
	}
	if err != nil {
		return err
	}
	if w.names+cost(name) > mostNames {
		if w.Partial {
			return nil
		}
		return fmt.Errorf("%s: %w", dir.path, ErrTooWide)
	}
	w.names += cost(name)
	r.todo = append(r.todo, name)
	return nil
}
