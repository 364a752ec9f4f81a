"""All that rules call, by one name: the experiment, and which files each step starts from.

Nothing is defined here. Imported once when the workflow is planned, so it must stay light: no
torch, no pandas.
"""

from tuneatlas.audit.cutoff import Cutoff
from tuneatlas.audit.reasons import is_what_made, own_reasons
from tuneatlas.audit.settling import known, make_newer, settle, settle_job, standing
from tuneatlas.audit.sharing import offers, take
from tuneatlas.config.checkpoints import (
    brought_options,
    chat_begins,
    chat_template,
    checkpoints,
    followed,
    kept,
    mapped,
    told,
    trained_on,
)
from tuneatlas.config.harness import compared_by_harness, harness_models
from tuneatlas.config.load import DEFAULT_CONFIG, load_given, load_started, resolve
from tuneatlas.config.naming import command
from tuneatlas.config.objects import no_plugin, objects_of, outermost
from tuneatlas.config.packages import (
    PROSE,
    all_packages,
    domain_options,
    earlier_domains,
    model_packages,
    pair_files,
    parse_files,
    parses_given,
    source_spec,
)
from tuneatlas.config.paraphrase_formats import (
    comparison_options,
    paraphrase_files,
    trained_format,
)
from tuneatlas.config.preflight import preflight
from tuneatlas.config.replicates import members
from tuneatlas.config.slices import (
    Place,
    asked_options,
    base_options,
    battery_options,
    begin_token,
    beside,
    category_weights,
    corpus_options,
    distance_options,
    fitting_dtype,
    forgetting_options,
    group_sources,
    inside_options,
    interpolation_options,
    map_options,
    needs_corpus,
    paraphraser_options,
    parse_options,
    plain_options,
    probed_splits,
    question_sources,
    relearning_options,
    sentence_options,
    stage_options,
    starts,
    syntax_options,
    system_options,
    task_options,
    treatment_options,
    tuning_options,
    writer_of,
)
from tuneatlas.data.groups import CONTEXTUALISED
from tuneatlas.data.objects import bring
from tuneatlas.data.scopes import GIVEN
from tuneatlas.engine.cluster import Request, check_cluster, site_options
from tuneatlas.engine.home import MOVED, home_of, parts
from tuneatlas.engine.jobs import planned
from tuneatlas.engine.known_code import code_digest, start_warm
from tuneatlas.engine.known_code import keep as keep_code
from tuneatlas.engine.known_code import recall as recall_code
from tuneatlas.engine.letting_go import are_measured, is_there, let_go
from tuneatlas.engine.operations import (
    asking,
    joined,
    operations_of,
    restored,
    section_of,
    split,
)
from tuneatlas.engine.pods import check_pods
from tuneatlas.engine.processor import hold as hold_instructions
from tuneatlas.engine.records import record_path
from tuneatlas.engine.run_folders import is_locked, is_run_folder, note_run, others_of
from tuneatlas.engine.start_checks import (
    IMAGE,
    NOT_IN_STORE,
    bound,
    check_folder,
    check_image,
    check_interpreter,
)
from tuneatlas.models.shapes import known_shape
from tuneatlas.sizing.gpu_types import FILE as GPU_TYPES
from tuneatlas.sizing.gpu_types import (
    check_types,
    memory_of,
    read_types,
    study_on_any,
    type_for,
)
from tuneatlas.sizing.host import LONGEST_MIN, asked_mb, brought_mb, trained_mb
from tuneatlas.sizing.storage import BROUGHT, Ledger, chain_of, folders, goes, held
