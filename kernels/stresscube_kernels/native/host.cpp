// The host skeleton around the generated steps: the same arrays and loops as the numba module.
//
// Lanes are the innermost loop and records are stored [field][lane], so the compiler can run a
// step on as many lanes at once as its vectors hold.

constexpr int W = LANES;

extern "C" void market_start(const real *reals, const uint32_t *words, const real *table,
                             uint32_t key_0, uint32_t key_1, uint32_t first_path, real *states) {
  const Market market = load_market(reals, words, table);
  for (int lane = 0; lane < W; ++lane) {
    const Draw draw = {first_path + uint32_t(lane), 0, key_0, key_1};
    State state;
    start_market(state, market, draw);
    store_state(states + lane, W, state);
  }
}

extern "C" void market_run(const real *reals, const uint32_t *words, const real *table,
                           uint32_t key_0, uint32_t key_1, uint32_t first_path,
                           uint32_t first_step, int64_t n_steps, real *states,
                           real *__restrict tape, int64_t tape_steps) {
  const Market market = load_market(reals, words, table);
  real now[STATE_FIELDS * W];
  real ticks[TICK_FIELDS * W];
  std::memcpy(now, states, sizeof now);
  for (int64_t step = 0; step < n_steps; ++step) {
    for (int lane = 0; lane < W; ++lane) {
      const Draw draw = {first_path + uint32_t(lane), first_step + uint32_t(step), key_0, key_1};
      State state = load_state(now + lane, W);
      Tick tick;
      step_market(state, tick, market, draw);
      store_state(now + lane, W, state);
      store_tick(ticks + lane, W, tick);
    }
    for (int lane = 0; lane < W; ++lane)
      for (int field = 0; field < TICK_FIELDS; ++field)
        tape[(lane * tape_steps + step) * TICK_FIELDS + field] = ticks[field * W + lane];
  }
  std::memcpy(states, now, sizeof now);
}

extern "C" void policy_open(const real *policies, real *accounts, int64_t paths, int64_t tiles) {
  for (int64_t path = 0; path < paths; ++path)
    for (int64_t tile = 0; tile < tiles; ++tile)
      for (int lane = 0; lane < W; ++lane) {
        const Policy policy = load_policy(policies + tile * POLICY_FIELDS * W + lane, W);
        Account account;
        open_account(account, policy);
        store_account(accounts + (path * tiles + tile) * ACCOUNT_FIELDS * W + lane, W, account);
      }
}

extern "C" void policy_run(const real *__restrict tape, int64_t tape_steps, int64_t first_step,
                           int64_t n_steps, const real *policies, real *accounts, int64_t paths,
                           int64_t tiles) {
  real now[ACCOUNT_FIELDS * W];
  real rules[POLICY_FIELDS * W];
  for (int64_t tile = 0; tile < tiles; ++tile) {
    std::memcpy(rules, policies + tile * POLICY_FIELDS * W, sizeof rules);
    for (int64_t path = 0; path < paths; ++path) {
      real *kept = accounts + (path * tiles + tile) * ACCOUNT_FIELDS * W;
      const real *ticks = tape + path * tape_steps * TICK_FIELDS;
      std::memcpy(now, kept, sizeof now);
      uint32_t busy = 1;
      for (int64_t step = 0; step < n_steps; ++step) {
        // What comes after the last step is not known here: the next call begins with a whole one.
        const int64_t after = step + 1 < n_steps ? step + 1 : step;
        const Tick tick = load_tick(ticks + step * TICK_FIELDS, 1);
        const Tick following = load_tick(ticks + after * TICK_FIELDS, 1);
        const Clock clock = {real(first_step + step)};
        const bool acting = busy || !MAY_IDLE;
        busy = 0;
        if (acting) {
#pragma GCC ivdep
          for (int lane = 0; lane < W; ++lane) {
            const Policy policy = load_policy(rules + lane, W);
            Account account = load_account(now + lane, W);
            mask acts = false;
            step_account(account, acts, clock, tick, following, policy);
            store_step_account(now + lane, W, account);
            busy |= acts.bits;
          }
        } else {
          // Nobody acts: the idle step gives the same numbers with less work.
#pragma GCC ivdep
          for (int lane = 0; lane < W; ++lane) {
            const Policy policy = load_policy(rules + lane, W);
            Account account = load_account(now + lane, W);
            mask acts = false;
            idle_account(account, acts, clock, tick, following, policy);
            store_idle_account(now + lane, W, account);
            busy |= acts.bits;
          }
        }
      }
      std::memcpy(kept, now, sizeof now);
    }
  }
}

extern "C" void policy_close(const real *tape, int64_t tape_steps, int64_t last,
                             const real *policies, const real *accounts, real *outcomes,
                             int64_t paths, int64_t tiles) {
  for (int64_t path = 0; path < paths; ++path)
    for (int64_t tile = 0; tile < tiles; ++tile)
      for (int lane = 0; lane < W; ++lane) {
        const int64_t at = path * tiles + tile;
        const Tick tick = load_tick(tape + (path * tape_steps + last) * TICK_FIELDS, 1);
        const Policy policy = load_policy(policies + tile * POLICY_FIELDS * W + lane, W);
        const Account account = load_account(accounts + at * ACCOUNT_FIELDS * W + lane, W);
        Outcome outcome;
        close_account(outcome, account, tick, policy);
        store_outcome(outcomes + at * OUTCOME_FIELDS * W + lane, W, outcome);
      }
}
