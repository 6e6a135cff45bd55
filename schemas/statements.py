"""Records of `statements`: statements of reasons for the EU's DSA transparency database.

Names, limits and codes are those that the database takes in through its interface, version 2 in its
form since 2025-07-01 (digital-services-act/transparency-database, commit 69e80a0 of 2026-06-24, models and
request rules); only `schema_version` is ours. Of categories and keywords, which are many and change, only
the form is checked.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Many, Record

Visibility = Literal[
    "DECISION_VISIBILITY_CONTENT_REMOVED",
    "DECISION_VISIBILITY_CONTENT_DISABLED",
    "DECISION_VISIBILITY_CONTENT_DEMOTED",
    "DECISION_VISIBILITY_CONTENT_AGE_RESTRICTED",
    "DECISION_VISIBILITY_CONTENT_INTERACTION_RESTRICTED",
    "DECISION_VISIBILITY_CONTENT_LABELLED",
    "DECISION_VISIBILITY_OTHER",
]
Provision = Literal[
    "DECISION_PROVISION_PARTIAL_SUSPENSION", "DECISION_PROVISION_TOTAL_SUSPENSION",
    "DECISION_PROVISION_PARTIAL_TERMINATION", "DECISION_PROVISION_TOTAL_TERMINATION",
]  # fmt: skip
ContentType = Literal[
    "CONTENT_TYPE_APP", "CONTENT_TYPE_AUDIO", "CONTENT_TYPE_IMAGE", "CONTENT_TYPE_PRODUCT",
    "CONTENT_TYPE_SYNTHETIC_MEDIA", "CONTENT_TYPE_TEXT", "CONTENT_TYPE_VIDEO", "CONTENT_TYPE_OTHER",
]  # fmt: skip
Category = Annotated[str, Field(pattern=r"^STATEMENT_CATEGORY_[A-Z_]+$")]
Keyword = Annotated[str, Field(pattern=r"^KEYWORD_[A-Z_]+$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
YesNo = Literal["Yes", "No"]


class Statement(Record):
    """One statement of reasons; it carries no personal data."""

    puid: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,500}$")]
    """Id that is unique on the platform; made from the action, so that sending it again changes nothing."""
    content_date: date
    """Day on which the content was posted."""
    application_date: date
    """Day from which the decision applies."""
    territorial_scope: Many[Country] = ()
    """Countries in which it applies."""
    content_language: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    """Language of the content, ISO 639-1 in capitals."""
    content_type: Annotated[Many[ContentType], Field(min_length=1)]
    """What the content is."""
    content_type_other: Annotated[str, Field(max_length=500)] | None = None
    """What it is when it is something else."""
    decision_visibility: Many[Visibility] = ()
    """What was done to the content's visibility."""
    decision_visibility_other: Annotated[str, Field(max_length=500)] | None = None
    """What was done when it was something else."""
    decision_provision: Provision | None = None
    """What was done to the account's use of the service, where it keeps a part of it."""
    decision_account: Literal["DECISION_ACCOUNT_SUSPENDED", "DECISION_ACCOUNT_TERMINATED"] | None = None
    """What was done to the account."""
    account_type: Literal["ACCOUNT_TYPE_BUSINESS", "ACCOUNT_TYPE_PRIVATE"] | None = None
    """What kind of account it is."""
    end_date_visibility_restriction: date | None = None
    """Last day of the restriction of the content; null is indefinite."""
    end_date_service_restriction: date | None = None
    """Last day of the restriction of the service; null is indefinite."""
    end_date_account_restriction: date | None = None
    """Last day of the restriction of the account; null is indefinite."""
    decision_ground: Literal["DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"]
    """Whether the law or the platform's rules were broken."""
    decision_ground_reference_url: Annotated[str, Field(max_length=500)] | None = None
    """Where that law or rule can be read."""
    illegal_content_legal_ground: Annotated[str, Field(max_length=500)] | None = None
    """The law, for illegal content."""
    illegal_content_explanation: Annotated[str, Field(max_length=2000)] | None = None
    """Why it is illegal."""
    incompatible_content_ground: Annotated[str, Field(max_length=500)] | None = None
    """The rule, for incompatible content."""
    incompatible_content_explanation: Annotated[str, Field(max_length=2000)] | None = None
    """Why it breaks the rule."""
    incompatible_content_illegal: YesNo | None = None
    """Whether it is illegal too."""
    category: Category
    """What the content is about."""
    category_addition: Many[Category] = ()
    """What else it is about."""
    category_specification: Many[Keyword] = ()
    """Keywords within the category."""
    category_specification_other: Annotated[str, Field(max_length=500)] | None = None
    """A keyword of one's own."""
    decision_facts: Annotated[str, Field(min_length=1, max_length=5000)]
    """The facts that the decision relies on."""
    source_type: Literal[
        "SOURCE_ARTICLE_16", "SOURCE_TRUSTED_FLAGGER", "SOURCE_TYPE_OTHER_NOTIFICATION", "SOURCE_VOLUNTARY"
    ]
    """What brought it up."""
    source_identity: Annotated[str, Field(max_length=500)] | None = None
    """Who brought it up; never for the platform's own initiative."""
    automated_detection: YesNo
    """Whether it was found by automated means."""
    automated_decision: Literal[
        "AUTOMATED_DECISION_FULLY", "AUTOMATED_DECISION_PARTIALLY", "AUTOMATED_DECISION_NOT_AUTOMATED"
    ]
    """Whether it was decided by automated means."""
