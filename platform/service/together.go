package service

// Together calls do for each of the services, by its index, at the same time where their
// order allows it: as soon as do has returned for all those that a service waits for. Those
// are the ones that it names in After; backwards, those that name it, as for a stop. A name that is not
// among the services is passed over. The services must not wait for each other in a cycle:
// Order has seen to that.
//
// How many run at once is not bounded. An init system does the same at a boot, with the
// same services and the same order.
//
// When do fails for a service, none begins any more, and Together waits for those that
// have begun. It returns the errors in the order of the services, whichever came first;
// nil when all went well. done are the services for which do has returned no error, in the
// order of the list, or backwards. A panic of do is the caller's, once the others are over.
func Together(services []Service, backwards bool, do func(i int, s Service) error) (done []Service, errs []error) {
	g := graphOf(services, backwards)
	ended := make(chan end)
	failures := make([]error, len(services))
	ok := make([]bool, len(services))
	running, stop := 0, false
	var panicked any
	begin := func(i int) {
		running++
		go func() { ended <- call(i, services[i], do) }()
	}
	for _, i := range g.first() {
		begin(i)
	}
	for running > 0 {
		e := <-ended
		running--
		ok[e.index], failures[e.index] = e.err == nil && e.panicked == nil, e.err
		if e.panicked != nil {
			panicked = e.panicked
		}
		stop = stop || !ok[e.index]
		for _, i := range g.over(e.index) {
			if !stop {
				begin(i)
			}
		}
	}
	if panicked != nil {
		panic(panicked)
	}
	for i := range services {
		if backwards {
			i = len(services) - 1 - i
		}
		if ok[i] {
			done = append(done, services[i])
		}
		if failures[i] != nil {
			errs = append(errs, failures[i])
		}
	}
	return done, errs
}

// end is how a call ended.
type end struct {
	index    int
	err      error
	panicked any
}

func call(i int, s Service, do func(int, Service) error) (e end) {
	e.index = i
	defer func() { e.panicked = recover() }()
	e.err = do(i, s)
	return e
}

// graph has what each service waits for, and who waits for it.
type graph struct {
	waits []int
	next  [][]int
}

func graphOf(services []Service, backwards bool) *graph {
	g := &graph{make([]int, len(services)), make([][]int, len(services))}
	index := map[string]int{}
	for i, s := range services {
		index[s.Name] = i
	}
	for later, s := range services {
		for _, name := range s.After {
			earlier, among := index[name]
			switch {
			case !among || earlier == later:
			case backwards:
				g.waits[earlier]++
				g.next[later] = append(g.next[later], earlier)
			default:
				g.waits[later]++
				g.next[earlier] = append(g.next[earlier], later)
			}
		}
	}
	return g
}

// first are those that wait for nobody.
func (g *graph) first() (list []int) {
	for i, n := range g.waits {
		if n == 0 {
			list = append(list, i)
		}
	}
	return list
}

// over says that a service is done, and returns those that wait for nobody any more.
func (g *graph) over(i int) (free []int) {
	for _, k := range g.next[i] {
		if g.waits[k]--; g.waits[k] == 0 {
			free = append(free, k)
		}
	}
	return free
}
