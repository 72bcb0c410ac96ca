// The GPU skeleton around the generated steps.
//
// Market: one thread a path. Policies: one path a block at a time, POLICIES_PER_THREAD policies
// a thread, so that one load of a tick from shared memory serves them all, and the accounts of a
// whole tile of steps stay in registers. (The host takes 2, or 1 where registers do not suffice
// for 2 and for warps enough.)
//
//   tape      [paths][n_steps] of Tick, 16-byte aligned
//   states    [STATE_FIELDS][paths], after the last step
//   policies  [POLICY_FIELDS][n_policies]
//   outcomes  [OUTCOME_FIELDS][paths][n_policies]
//
// The market's numbers are the same for all threads and come as a parameter, by value: parameters
// lie in constant memory, from which arithmetic takes an operand for nothing. Loaded from global
// memory they would stay in registers for the whole loop. (All parameters of a kernel may take
// 4 KB, since CUDA 12.1 32 KB.)
//
// Where they are drawn (PATHS_A_DRAW > 0) there are several sets, in global memory. A warp has one,
// so that each load serves all its threads, and because the tape might lie there too for all that
// the compiler knows, numbers are loaded where they are used and stay in no register.
//
// Neighbouring threads hold neighbouring policies, so every load and store of a record's field
// is one contiguous run. `n_policies` is a multiple of THREADS * POLICIES_PER_THREAD: the host
// pads. What metrics want is the other way round, paths last: `gather_outcomes` turns it.

inline constexpr int QUADS = sizeof(Tick) / 16;  // 16-byte words of a tick
inline constexpr int STEPS_A_TILE = 32;
inline constexpr int SIDE = 32;             // of the square that is turned at a time
inline constexpr int GATHER_THREADS = 256;  // a warp a row, so several rows at a time

static_assert(sizeof(Tick) % 16 == 0, "ticks are moved 16 bytes at a time");

#if PATHS_A_DRAW
#define MARKET const Market *markets, uint32_t draws
#else
#define MARKET const Market market
#endif

extern "C" __global__ void market_run(MARKET, uint32_t key_0, uint32_t key_1, uint32_t first_path,
                                      int n_steps, int paths, real *states, Tick *tape) {
  const int path = blockIdx.x * blockDim.x + threadIdx.x;
  if (path >= paths) return;
#if PATHS_A_DRAW
  const Market &market = markets[(first_path + uint32_t(path)) / PATHS_A_DRAW % draws];
#endif
  Draw draw = {first_path + uint32_t(path), 0, key_0, key_1};
  State state;
  start_market(state, market, draw);
  Tick *ticks = tape + int64_t(path) * n_steps;
  for (int step = 0; step < n_steps; ++step) {
    draw.step = uint32_t(step);
    Tick tick;
    step_market(state, tick, market, draw);
    ticks[step] = tick;
  }
  store_state(states + path, paths, state);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    policy_run(const Tick *tape, int n_steps, const real *policies, int n_policies, int paths,
               real *outcomes) {
  __shared__ Tick tile[STEPS_A_TILE + 1];  // and the tick that follows them
  const int groups = n_policies / (THREADS * POLICIES_PER_THREAD);
  const int64_t path = blockIdx.x / groups;
  const int first = (blockIdx.x % groups) * THREADS * POLICIES_PER_THREAD + threadIdx.x;

  Policy policy[POLICIES_PER_THREAD];
  Account account[POLICIES_PER_THREAD];
#pragma unroll
  for (int k = 0; k < POLICIES_PER_THREAD; ++k) {
    policy[k] = load_policy(policies + first + k * THREADS, n_policies);
    open_account(account[k], policy[k]);
  }

  const Tick *ticks = tape + path * n_steps;
  bool busy = true;
  for (int start = 0; start < n_steps; start += STEPS_A_TILE) {
    const int steps = n_steps - start < STEPS_A_TILE ? n_steps - start : STEPS_A_TILE;
    __syncthreads();  // the last tile has been read by all
    const uint4 *from = reinterpret_cast<const uint4 *>(ticks + start);
    const int loaded = start + steps < n_steps ? steps + 1 : steps;
    for (int quad = threadIdx.x; quad < loaded * QUADS; quad += THREADS)
      reinterpret_cast<uint4 *>(tile)[quad] = from[quad];
    __syncthreads();
#pragma unroll 1
    for (int step = 0; step < steps; ++step) {
      const Tick tick = tile[step];
      const Tick following = tile[step + 1 < loaded ? step + 1 : step];
      const Clock clock = {real(start + step)};
      // The whole warp takes the shorter idle step where none of its accounts acts.
      const bool acting = !MAY_IDLE || __any_sync(0xffffffffu, busy);
      busy = false;
      if (acting) {
#pragma unroll
        for (int k = 0; k < POLICIES_PER_THREAD; ++k) {
          mask acts = false;
          step_account(account[k], acts, clock, tick, following, policy[k]);
          busy |= acts;
        }
      } else {
#pragma unroll
        for (int k = 0; k < POLICIES_PER_THREAD; ++k) {
          mask acts = false;
          idle_account(account[k], acts, clock, tick, following, policy[k]);
          busy |= acts;
        }
      }
    }
  }

  const Tick last = ticks[n_steps - 1];
  const int64_t at = path * n_policies + first;
  const int64_t records = int64_t(paths) * n_policies;
#pragma unroll
  for (int k = 0; k < POLICIES_PER_THREAD; ++k) {
    Outcome outcome;
    close_account(outcome, account[k], last, policy[k]);
    store_outcome(outcomes + at + k * THREADS, records, outcome);
  }
}

// outcomes [OUTCOME_FIELDS][paths][n_policies] of one batch, into its columns of
// gathered [OUTCOME_FIELDS][kept_policies][all_paths], from column first_path on.
// A square goes through shared memory, so reads are contiguous in policies and writes in paths.
// Grid: x over policies, y over paths, z over fields.
extern "C" __global__ void gather_outcomes(const real *outcomes, int paths, int n_policies,
                                           real *gathered, int kept_policies, int all_paths,
                                           int first_path) {
  __shared__ real square[SIDE][SIDE + 1];  // one more, or a column would lie in one memory bank
  const int lane = threadIdx.x % SIDE;
  const int row = threadIdx.x / SIDE;
  const int policies_from = blockIdx.x * SIDE;
  const int paths_from = blockIdx.y * SIDE;
  const real *from = outcomes + int64_t(blockIdx.z) * paths * n_policies;
  real *to = gathered + int64_t(blockIdx.z) * kept_policies * all_paths + first_path;

  for (int k = row; k < SIDE; k += GATHER_THREADS / SIDE) {
    const int path = paths_from + k;
    const int policy = policies_from + lane;
    if (path < paths && policy < kept_policies)
      square[k][lane] = from[int64_t(path) * n_policies + policy];
  }
  __syncthreads();
  for (int k = row; k < SIDE; k += GATHER_THREADS / SIDE) {
    const int policy = policies_from + k;
    const int path = paths_from + lane;
    if (path < paths && policy < kept_policies)
      to[int64_t(policy) * all_paths + path] = square[lane][k];
  }
}
